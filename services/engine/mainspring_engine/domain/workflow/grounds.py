"""What decisions about a declared workflow are based on: chart, course, values. Pure."""

from typing import Final, NamedTuple
from uuid import UUID

import msgspec

from mainspring_engine.domain.workflow.charts import Chart, given
from mainspring_engine.domain.workflow.filling import Values
from mainspring_engine.domain.workflow.going import Going
from mainspring_engine.domain.workflow.state import Course
from mainspring_schema.declarations import OfInput, OfStep
from mainspring_schema.tasks import PlainResult
from mainspring_schema.workflows import INPUT_STEP, read_record

_RESULT: Final = msgspec.msgpack.Decoder(PlainResult)


class Ended(NamedTuple):
    """A step that has finished, which no row says yet."""

    number: int
    result: bytes


class Next(NamedTuple):
    """A step that begins, with its arguments."""

    number: int
    input: bytes


def values(going: Going, chart: Chart, ended: Ended | None) -> Values:
    """One for the whole of a decision: it reads each of them once."""
    parameters: dict[str, bytes] = {}

    def look_up(reference: OfInput | OfStep) -> bytes:
        if isinstance(reference, OfStep):
            if ended is not None and reference.step == ended.number:
                return ended.result
            body = _body(going, str(reference.step))
            is_wait = chart.step(reference.step).wait is not None
            return read_record(body).result if is_wait else _RESULT.decode(body).result
        if not parameters:
            record = read_record(_body(going, INPUT_STEP))
            parameters.update(given(chart.declaration, record.result))
        return parameters[reference.name]

    return Values(look_up)


def _body(going: Going, place: str) -> bytes:
    """Of a record or a result: this plan's own, or a committed one."""
    for row in (*going.plan.results, *going.plan.steps):
        if row.step == place:
            return row.body
    start = going.plan.start
    if start is not None and start.copied is not None:
        return going.materials.value(start.copied.source_id, place)
    return going.materials.value(going.workflow.id, place)


def chart(going: Going) -> Chart:
    """This plan's own, which a worker has just declared, or a committed one."""
    digest = course(going).declaration
    own = next((config.body for config in going.plan.configs if config.hash == digest), None)
    if own is None or going.materials.recall.chart(digest) is not None:
        return going.materials.chart(digest)
    return Chart(own)


def course(going: Going) -> Course:
    found = going.state.course
    assert found is not None  # noqa: S101 - nothing else comes here
    return found


def without(course: Course, task_id: UUID) -> Course:
    left = tuple(one for one in course.open if one[1] != task_id.bytes)
    return msgspec.structs.replace(course, open=left)


def bits(done: int) -> bytes:
    return done.to_bytes((done.bit_length() + 7) // 8, "little")
