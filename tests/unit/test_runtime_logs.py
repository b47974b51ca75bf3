import io
import json
import logging
from collections.abc import Iterator
from typing import cast

import pytest

from mainspring_kernel.tracing import TraceContext, use_trace
from mainspring_runtime import logs


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    out = io.StringIO()
    logs.configure("engine", "info", out)
    yield out
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(capture=False)


def last(stream: io.StringIO) -> dict[str, object]:
    return cast("dict[str, object]", json.loads(stream.getvalue().splitlines()[-1]))


def test_a_line_has_time_level_logger_service_and_message(stream: io.StringIO) -> None:
    logging.getLogger("mainspring.x").info("did %d", 3)

    line = last(stream)
    assert {key: line[key] for key in ("level", "logger", "message", "service")} == {
        "level": "INFO",
        "logger": "mainspring.x",
        "message": "did 3",
        "service": "engine",
    }
    assert str(line["ts"]).startswith("20")


def test_lines_carry_session_turn_and_trace_of_the_running_code(stream: io.StringIO) -> None:
    log = logging.getLogger("x")
    with logs.log_fields(session="session_1"), logs.log_fields(turn="turn_1"):
        with use_trace(TraceContext(0xA, 0xB, sampled=False)):
            log.info("inside", extra={"fence": 4})
        inside = last(stream)
    log.info("outside")
    outside = last(stream)

    assert (inside["session"], inside["turn"], inside["fence"]) == ("session_1", "turn_1", 4)
    assert (inside["trace_id"], inside["span_id"]) == (f"{0xA:032x}", f"{0xB:016x}")
    assert not {"session", "turn", "trace_id"} & outside.keys()


def test_an_exception_stays_on_its_line(stream: io.StringIO) -> None:
    try:
        _ = 1 / 0
    except ZeroDivisionError:
        logging.getLogger("x").exception("broke")

    assert len(stream.getvalue().splitlines()) == 1
    assert "ZeroDivisionError" in str(last(stream)["exception"])


def test_levels_are_kept_and_noisy_libraries_hushed(stream: io.StringIO) -> None:
    logging.getLogger("x").debug("not asked for")
    logging.getLogger("nats.aio").info("about itself")
    logging.getLogger("uvicorn.error").info("Press CTRL+C to quit")

    assert stream.getvalue() == ""


def test_what_a_collector_that_is_away_is_told_of_is_told_once_in_a_while(
    stream: io.StringIO,
) -> None:
    exporter = logging.getLogger("opentelemetry.exporter")

    def told(at_s: float, level: int = logging.WARNING, log: logging.Logger = exporter) -> int:
        before = len(stream.getvalue().splitlines())
        record = log.makeRecord(log.name, level, "", 0, "away", (), None)
        record.created = at_s
        log.handle(record)
        return len(stream.getvalue().splitlines()) - before

    assert [told(at) for at in (1_000.0, 1_005.0, 1_599.0, 1_600.0, 1_601.0)] == [1, 0, 0, 1, 0]
    assert told(1_001.0, logging.ERROR) == 1, "another kind"
    assert [told(1_000.0, log=logging.getLogger("mainspring.x")) for _ in range(2)] == [1, 1]
