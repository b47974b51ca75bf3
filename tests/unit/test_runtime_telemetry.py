import asyncio
import json
import logging
import os
from collections.abc import Iterable
from pathlib import Path
from typing import cast
from uuid import UUID

import msgspec
import pytest

from mainspring_kernel.draws import SeededDraws
from mainspring_kernel.errors import NotFound
from mainspring_runtime import names
from mainspring_runtime.settings import ProcessSettings
from mainspring_runtime.span_files import SpanFile
from mainspring_runtime.spans import SpanRecord
from mainspring_runtime.telemetry import (
    OFF,
    Policy,
    SpanStatus,
    Telemetry,
    TraceContext,
    current_trace,
    open_telemetry,
    span_id_for,
)

ROOT = TraceContext(0xABC, 0x1, sampled=True)
UNSAMPLED = TraceContext(0xABC, 0x1, sampled=False)
TURN = UUID(int=7)


class Kept:
    """A sink that keeps."""

    def __init__(self) -> None:
        self.spans: list[SpanRecord] = []
        self.closed = 0

    def put(self, record: SpanRecord) -> None:
        self.spans.append(record)

    def close(self) -> None:
        self.closed += 1


@pytest.fixture
def kept() -> Kept:
    return Kept()


@pytest.fixture
def telemetry(kept: Kept) -> Telemetry:
    ticks = iter(range(1000, 2000))
    return Telemetry(sinks=[kept], draws=SeededDraws(1), now_ns=lambda: next(ticks))


def test_a_span_hangs_under_its_parent_and_is_current_inside(
    telemetry: Telemetry, kept: Kept
) -> None:
    with telemetry.span(names.SPAN_SUBMIT, parent=ROOT) as outer:
        assert current_trace() == outer.context
        with telemetry.span(names.SPAN_APPEND) as inner:
            inner.set(names.DELTA_COUNT, 3)

    first, second = kept.spans
    assert (first.name, second.name) == (names.SPAN_APPEND, names.SPAN_SUBMIT)
    assert outer.context is not None
    assert first.parent_span_id == outer.context.span_id
    assert second.parent_span_id == ROOT.span_id
    assert first.context.trace_id == second.context.trace_id == ROOT.trace_id
    assert first.attributes == {names.DELTA_COUNT: 3}
    assert (second.start_ns, second.end_ns) == (1000, 1003)
    assert current_trace() is None


@pytest.mark.parametrize("parent", [UNSAMPLED, None])
def test_without_a_sampled_trace_nothing_is_recorded(
    telemetry: Telemetry, kept: Kept, parent: TraceContext | None
) -> None:
    with telemetry.span(names.SPAN_SUBMIT, parent=parent) as span:
        span.set(names.DELTA_COUNT, 3)
        span.fail("x")

        assert span.context == current_trace() == parent
        assert not span.recorded
        assert span.attributes == {}

    assert kept.spans == []


def test_an_error_marks_its_span_and_goes_on(telemetry: Telemetry, kept: Kept) -> None:
    with pytest.raises(NotFound), telemetry.span(names.SPAN_READ, parent=ROOT):
        raise NotFound

    (span,) = kept.spans
    assert span.status is SpanStatus.ERROR
    assert span.attributes == {names.ERROR_TYPE: "not_found"}


def test_a_span_is_recorded_after_the_fact_with_the_ids_that_were_chosen(
    telemetry: Telemetry, kept: Kept
) -> None:
    attempt = ROOT.under(span_id_for(TURN, 1))
    with telemetry.span(names.SPAN_READ, parent=attempt):
        pass  # another process, which knew only the id

    telemetry.record(
        SpanRecord(
            name=names.SPAN_ATTEMPT,
            context=attempt,
            parent_span_id=ROOT.span_id,
            start_ns=50,
            end_ns=40,
            links=(ROOT,),
        )
    )

    child, span = kept.spans
    assert child.parent_span_id == span.context.span_id == span_id_for(TURN, 1)
    assert (span.start_ns, span.end_ns) == (50, 50)
    assert span.links == (ROOT,)


def test_an_unsampled_span_is_not_recorded_after_the_fact(telemetry: Telemetry, kept: Kept) -> None:
    telemetry.record(
        SpanRecord(name="x", context=UNSAMPLED, parent_span_id=None, start_ns=1, end_ns=2)
    )

    assert kept.spans == []


def test_what_people_said_is_left_out_unless_asked_for(kept: Kept) -> None:
    said = {names.INPUT_MESSAGES: "[]", names.REQUEST_MODEL: "m"}
    span = SpanRecord(
        name="x", context=ROOT, parent_span_id=None, start_ns=1, end_ns=2, attributes=said
    )

    Telemetry(sinks=[kept]).record(span)
    Telemetry(sinks=[kept], policy=Policy(capture_content=True)).record(span)

    assert [each.attributes for each in kept.spans] == [{names.REQUEST_MODEL: "m"}, said]


def test_traces_are_sampled_only_where_spans_go_somewhere(telemetry: Telemetry) -> None:
    assert telemetry.new_trace().sampled
    assert not OFF.new_trace().sampled
    assert not Telemetry(sinks=[Kept()], policy=Policy(ratio=0.0)).new_trace().sampled


def test_closing_twice_closes_the_sinks_once(telemetry: Telemetry, kept: Kept) -> None:
    telemetry.close()
    telemetry.close()

    assert kept.closed == 1


# ── files ───────────────────────────────────────────────────────────────────────────────────────


def record(name: str = "x", **changes: object) -> SpanRecord:
    plain = SpanRecord(
        name=name, context=ROOT, parent_span_id=0xF, start_ns=1, end_ns=2, links=(ROOT,)
    )
    return msgspec.structs.replace(plain, **changes)


def lines(paths: Iterable[Path]) -> list[dict[str, object]]:
    read = [text for path in paths for text in path.read_text().splitlines()]
    return [cast("dict[str, object]", json.loads(text)) for text in read]


def lines_in(folder: Path) -> list[dict[str, object]]:
    return lines(sorted(folder.iterdir()))


def test_a_span_becomes_a_line_of_json(tmp_path: Path) -> None:
    file = SpanFile(tmp_path / "new", "engine")

    file.put(record(attributes={names.DELTA_COUNT: 2, "list": ("a", "b")}))
    file.close()

    assert lines([tmp_path / "new" / f"engine-{os.getpid()}.jsonl"]) == [
        {
            "trace_id": f"{0xABC:032x}",
            "span_id": f"{0x1:016x}",
            "parent_id": f"{0xF:016x}",
            "name": "x",
            "kind": "internal",
            "start_ns": 1,
            "end_ns": 2,
            "attributes": {names.DELTA_COUNT: 2, "list": ["a", "b"]},
            "links": [{"trace_id": f"{0xABC:032x}", "span_id": f"{0x1:016x}"}],
            "status": "unset",
            "message": "",
            "service": "engine",
        }
    ]


async def test_lines_are_written_soon_and_together(tmp_path: Path) -> None:
    file = SpanFile(tmp_path, "engine")
    file.put(record("a"))
    file.put(record("b"))
    assert lines_in(tmp_path) == []

    done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_later(0.06, done.set_result, None)
    await done

    assert [each["name"] for each in lines_in(tmp_path)] == ["a", "b"]
    file.close()


async def test_a_full_batch_is_written_at_once(tmp_path: Path) -> None:
    file = SpanFile(tmp_path, "engine")

    for _ in range(256):
        file.put(record())

    assert len(lines_in(tmp_path)) == 256
    file.close()
    file.close()


def test_files_stay_within_their_bound_and_keep_the_newest(tmp_path: Path) -> None:
    file = SpanFile(tmp_path, "engine", bytes_max=8000)

    for number in range(200):
        file.put(record(str(number)))
    file.close()

    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= 8000
    found = {each["name"] for each in lines_in(tmp_path)}
    assert "199" in found
    assert "0" not in found


def test_a_disk_that_refuses_costs_spans_and_one_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    file = SpanFile(blocked / "folder", "engine")

    with caplog.at_level(logging.WARNING):
        file.put(record())
        file.put(record())

    assert file.dropped == 2
    assert len(caplog.records) == 1
    file.close()


def test_telemetry_opens_what_the_settings_ask_for(tmp_path: Path) -> None:
    off = open_telemetry("engine", ProcessSettings())
    on = open_telemetry("engine", ProcessSettings(trace_dir=tmp_path, semconv_opt_in="gen_ai_1_41"))

    with on.span(names.SPAN_READ, parent=ROOT, attributes={names.USAGE_CACHE_WRITE: 1}):
        pass
    on.close()

    assert not off.new_trace().sampled
    (written,) = lines_in(tmp_path)
    assert written["attributes"] == {"gen_ai.usage.cache_creation.input_tokens": 1}
