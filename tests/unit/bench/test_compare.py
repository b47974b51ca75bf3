from pathlib import Path

import msgspec
import pytest

from tests.load.bench.__main__ import compared
from tests.load.bench.compare import Change, changes, gone, machines, render, worse
from tests.load.bench.report import Report, encode


def report(figures: dict[str, float], **machine: str) -> Report:
    return Report(
        machine=machine,
        calibration={"fdatasync_p50_ms": 0.14},
        versions={},
        commit="abc",
        sampling={},
        figures=figures,
        spreads={},
    )


def change(key: str, before: float, after: float) -> Change:
    return Change(key=key, before=before, after=after)


@pytest.mark.parametrize(
    ("key", "before", "after", "verdict"),
    [
        ("turns_per_s_c1", 100.0, 120.0, "better"),
        ("turns_per_s_c1", 100.0, 80.0, "WORSE"),
        ("dispatch_idle_p99_ms", 5.0, 4.0, "better"),
        ("dispatch_idle_p99_ms", 5.0, 6.0, "WORSE"),
        ("idle_queries_per_s", 2.0, 3.0, "WORSE"),
        ("sse_2000_p50_ms", 10.0, 10.4, "same"),
        ("history_messages", 200.0, 1000.0, ""),
        ("wal_bytes_per_task", 0.0, 100.0, ""),
    ],
)
def test_better_is_what_the_figure_says_is_better(
    key: str, before: float, after: float, verdict: str
) -> None:
    assert change(key, before, after).verdict() == verdict


def test_only_keys_of_both_reports_are_compared() -> None:
    found = changes({"a_ms": 1.0, "b_ms": 2.0}, {"b_ms": 3.0, "c_ms": 4.0})

    assert [(one.key, one.factor) for one in found] == [("b_ms", 1.5)]


def test_a_loss_above_the_limit_is_named() -> None:
    found = [change("a_ms", 100.0, 115.0), change("b_ms", 100.0, 105.0), change("c_ms", 1.0, 0.1)]

    assert worse(found, by=0.1) == ["a_ms"]


def test_what_the_same_settings_bring_no_more_is_gone() -> None:
    before, after = report({"a_ms": 1.0, "b_ms": 1.0}), report({"b_ms": 1.0})
    other = msgspec.structs.replace(after, settings={"scenarios": "turns"})

    assert gone(before, after) == ["a_ms"]
    assert gone(before, other) == []


@pytest.mark.parametrize("limit", ["0", "10"])
def test_a_limit_holds_for_figures_that_are_gone(tmp_path: Path, limit: str) -> None:
    for name, figures in (("before", {"a_ms": 1.0, "b_ms": 1.0}), ("after", {"b_ms": 1.0})):
        (tmp_path / name).write_bytes(encode(report(figures)))
    before, after = str(tmp_path / "before"), str(tmp_path / "after")

    assert compared([before, after]) == 0
    assert compared([before, before, "--limit", limit]) == 0
    assert compared([before, after, "--limit", limit]) == 1


def test_reports_with_nothing_in_common_hold_no_limit(tmp_path: Path) -> None:
    for name, figures in (("before", {"a_ms": 1.0}), ("after", {"b_ms": 1.0})):
        found = msgspec.structs.replace(report(figures), settings={"scenarios": name})
        (tmp_path / name).write_bytes(encode(found))

    words = [str(tmp_path / "before"), str(tmp_path / "after"), "--limit", "10"]

    assert compared(words) == 1


@pytest.mark.parametrize("limit", ["nan", "-5", "inf", "x"])
def test_a_limit_is_a_number_from_0(limit: str) -> None:
    with pytest.raises(SystemExit):
        compared(["a.json", "b.json", "--limit", limit])


def test_what_only_one_report_has_is_told() -> None:
    text = render(report({"a_ms": 1.0, "b_ms": 1.0}), report({"b_ms": 2.0, "c_ms": 1.0}))

    assert "only in the first: a_ms" in text
    assert "only in the second: c_ms" in text
    assert "WORSE" in text


def test_another_machine_is_told_before_its_figures() -> None:
    before, after = report({"a_ms": 1.0}, cores="2"), report({"a_ms": 1.0}, cores="8")

    assert machines(before, after) == "machine: cores 2 → 8"
    assert "machine: cores 2 → 8" in render(before, after)
