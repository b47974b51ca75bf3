import re

import msgspec
import pytest

from tests.load.bench import page, plots
from tests.load.bench.histograms import Histogram
from tests.load.bench.report import Report, Series


def report(**figures: float) -> Report:
    return Report(
        machine={"cores": "2", "processor": "<fast>"},
        calibration={},
        versions={},
        commit="abc",
        sampling={},
        figures=figures,
        spreads={},
        histograms={"turn_c1_ms": Histogram.of([1.0, 2.0, 30.0]).encode()},
        series={"memory": Series(unit="MiB", lines={"engine": [(0.0, 50.0), (1.0, 60.0)]})},
        notes=["a <note>"],
    )


def test_a_page_needs_nothing_from_elsewhere() -> None:
    text = page.render(report(turns_per_s_c1=149.0))

    assert not re.search(r"(?:src|href)=|url\(|@import|<script|https?:", text)


def test_a_page_shows_promises_curves_and_series() -> None:
    text = page.render(report(turns_per_s_c1=149.0, dispatch_idle_p50_ms=1.0))

    assert 'class="missed"' in text
    assert 'class="reached"' in text
    for shown in ("Turns, by percentile", "Memory", "turn_c1_ms", "engine"):
        assert shown in text


def test_words_of_others_are_escaped() -> None:
    text = page.render(report())

    assert "&lt;fast&gt;" in text
    assert "<note>" not in text


def test_peers_stand_beside_us_where_they_were_measured() -> None:
    alone = page.render(report(tasks_per_s=100.0))
    beside = page.render(report(tasks_per_s=100.0, peer_dbos_tasks_per_s=10.0))

    assert "Tasks per second" not in alone
    assert "Tasks per second" in beside


def test_only_our_own_bar_stands_out() -> None:
    without = page.render(report(peer_dbos_tasks_per_s=10.0))
    beside = page.render(report(tasks_per_s=100.0, peer_dbos_tasks_per_s=10.0))

    assert 'class="bar own"' not in without
    assert beside.count('class="bar own"') == 1


def test_latencies_of_peers_are_drawn_beside_ours() -> None:
    encoded = Histogram.of([1.0, 2.0]).encode()
    beside = msgspec.structs.replace(
        report(), histograms={"workflow3_ms": encoded, "peer_dbos_workflow3_ms": encoded}
    )

    text = page.render(beside)

    assert "A workflow of three steps, everyone" in text
    assert "</i>mainspring" in text


def test_ticks_are_round_and_inside() -> None:
    assert plots.even_ticks(0.0, 100.0) == [0.0, 20.0, 40.0, 60.0, 80.0, 100.0]
    assert plots.log_ticks(0.9, 40.0) == [1.0, 2.0, 5.0, 10.0, 20.0]
    assert plots.log_ticks(1.0, 100_000.0) == [1.0, 10.0, 100.0, 1000.0, 10_000.0, 100_000.0]


def test_each_nine_is_as_far_as_the_one_before() -> None:
    assert plots.nines(0.9) == pytest.approx(1.0)
    assert plots.nines(0.999) == pytest.approx(3.0)


def test_a_flat_line_of_nothing_is_drawn() -> None:
    assert "<polyline" in plots.over_time({"a": [(0.0, 0.0), (1.0, 0.0)]}, "ms")
    assert plots.over_time({}, "ms") == ""
    assert plots.by_percentile({"a": [(1.0, 0.0)]}, "ms") == ""
