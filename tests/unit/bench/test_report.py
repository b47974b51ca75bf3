import msgspec

from tests.load.bench.histograms import spread
from tests.load.bench.report import Cost, Report, encode, missed, number, render, table
from tests.load.bench.statements import PerTurn


def report(**figures: float) -> Report:
    return Report(
        machine={"cores": "2"},
        calibration={"fdatasync_p50_ms": 0.14},
        versions={"python": "3.11"},
        commit="abc",
        sampling={"c1": 0.0},
        figures=figures,
        spreads={"turn_c1_ms": spread([1.0, 2.0])},
        statements=[PerTurn(role="engine_run", query="select 1", calls=2, exec_ms=1, blocks=3)],
        nested=[],
        costs={"idle": [Cost(process="api", cpu_s=0.5, cpu_ms_per_unit=2.5, memory_mib=64)]},
        counts={"turns c1": 10},
        notes=["a note"],
    )


def line_of(text: str, start: str) -> str:
    return next(line for line in text.splitlines() if line.startswith(start))


def test_a_figure_stands_beside_its_target() -> None:
    text = render(report(turns_per_s_c1=149.0, sql_per_text_turn=12.0))

    assert line_of(text, "turns_per_s_c1").split()[1:5] == ["149", ">=", "150", "MISSED"]
    assert line_of(text, "sql_per_text_turn").split()[1:5] == ["12.0", "<=", "12.0", "reached"]


def test_of_several_rounds_a_figure_is_shown_with_how_far_apart_they_were() -> None:
    rounds = [{"turns_per_s_c1": 140.0}, {"turns_per_s_c1": 149.0}, {"turns_per_s_c1": 160.0}]
    text = render(msgspec.structs.replace(report(turns_per_s_c1=149.0), rounds=rounds))

    assert "149 (140 to 160)" in line_of(text, "turns_per_s_c1")


def test_a_figure_nobody_promised_has_no_verdict() -> None:
    found = report(rss_mib_api=1e9)

    assert missed(found.figures) == []
    assert line_of(render(found), "rss_mib_api").split() == [
        "rss_mib_api",
        "1,000,000,000",
    ]


def test_missed_targets_are_named() -> None:
    assert missed({"turns_per_s_c32": 999.9, "recovery_p99_s": 3.0}) == ["turns_per_s_c32"]


def test_everything_that_was_gathered_is_shown() -> None:
    text = render(report(turns_per_s_c1=1.0))

    shown = "turn_c1_ms", "processes, idle", "statements per turn", "select 1", "fdatasync_p50_ms"
    for part in (*shown, "a note"):
        assert part in text


def test_the_figures_of_the_object_are_flat() -> None:
    decoded = msgspec.json.decode(encode(report(turns_per_s_c1=149.25)), type=dict[str, object])

    assert decoded["figures"] == {"turns_per_s_c1": 149.25}
    assert {"machine", "versions", "commit", "sampling"} <= decoded.keys()


def test_numbers_have_the_digits_that_mean_something() -> None:
    assert [number(n) for n in (0, 0.123, 4.56, 45.67, 456.7, 12345.6)] == [
        "0", "0.12", "4.56", "45.7", "457", "12,346",
    ]  # fmt: skip


def test_columns_are_as_wide_as_they_must_be() -> None:
    assert table(["a", "b", "c"], [["long", "1", "x"]]).splitlines() == [
        "a     b  c",
        "----  -  -",
        "long  1  x",
    ]
