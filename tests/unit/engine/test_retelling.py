"""An engine that starts makes the spans again that a killed one took with it: the very same."""

from typing import cast
from uuid import UUID

import msgspec
import pytest

from mainspring_engine.adapters.witness import TelemetryWitness
from mainspring_engine.domain.rows import Closing, Outcome
from mainspring_engine.ports.outside import Witness
from mainspring_engine.ports.store import Ended, Store
from mainspring_engine.usecases.agents import Agents
from mainspring_engine.usecases.retelling import tell_again
from mainspring_kernel.errors import Unavailable
from mainspring_kernel.ids import Prefix, to_wire
from mainspring_kernel.tracing import TraceContext, span_id_for
from mainspring_runtime import names
from mainspring_runtime.listeners import Listeners
from mainspring_runtime.spans import SpanRecord
from mainspring_runtime.telemetry import Telemetry
from mainspring_schema.tasks import WorkflowResult
from tests.unit.engine.program import Desk

TURN, FIRST, SECOND = UUID(int=1), UUID(int=2), UUID(int=3)
ROOT = TraceContext(0xABC, span_id_for(TURN, 0), sampled=True)


class Sink:
    def __init__(self) -> None:
        self.records: list[SpanRecord] = []

    def put(self, record: SpanRecord) -> None:
        self.records.append(record)

    def close(self) -> None:
        return


class StoreWithPast:
    def __init__(self, *ended: Ended, away: bool = False) -> None:
        self.ended = ended
        self.away = away

    async def ended_lately(self, *, within_ms: int, limit: int) -> tuple[Ended, ...]:
        assert within_ms > 0
        if self.away:
            detail = "Postgres is away"
            raise Unavailable(detail)
        return self.ended[:limit]

    async def configs(self, hashes: tuple[bytes, ...]) -> dict[bytes, bytes]:
        del hashes
        return {}


def ended(task: UUID, *, at_ms: int, **more: object) -> Ended:
    plain = Ended(
        task_id=task,
        fence=1,
        closing=Closing.RESULT,
        claimed_ms=at_ms - 10,
        ended_ms=at_ms,
        workflow_id=TURN,
        session_id=UUID(int=8),
        org_id=UUID(int=9),
        outcome=Outcome.COMPLETED,
        config_hash=b"c" * 32,
        traceparent=ROOT.format(),
        started_ms=50,
    )
    return msgspec.structs.replace(plain, **more)


async def told(store: StoreWithPast) -> list[SpanRecord]:
    sink, past = Sink(), cast("Store", cast("object", store))
    agents = Agents(past)
    witness: Witness = TelemetryWitness(Telemetry(sinks=[sink]), Listeners([]), agents)
    await tell_again(past, agents, witness)
    return sink.records


async def test_the_ids_are_those_that_others_hung_their_spans_under() -> None:
    records = await told(StoreWithPast(ended(SECOND, at_ms=200), ended(FIRST, at_ms=100)))

    second, first, turn = records
    assert [one.context.span_id for one in (first, second)] == [
        span_id_for(FIRST, 1), span_id_for(SECOND, 1)
    ]  # fmt: skip
    assert {one.parent_span_id for one in (first, second)} == {ROOT.span_id}
    assert (turn.context, turn.parent_span_id) == (ROOT, None)
    assert (turn.start_ns, turn.end_ns) == (50_000_000, 200_000_000)
    assert turn.attributes[names.TURN_OUTCOME] == "completed"


async def test_a_workflow_is_told_as_one_with_its_type_where_that_is_known() -> None:
    desk, sink = Desk(), Sink()
    past = cast("Store", cast("object", StoreWithPast()))
    witness = TelemetryWitness(Telemetry(sinks=[sink]), Listeners([]), Agents(past))
    desk.claimed()
    desk.brings(WorkflowResult(outcome="completed", result=b"1"))
    traced = msgspec.structs.replace(desk.last.workflows[0], traceparent=ROOT.format())

    witness.committed(msgspec.structs.replace(desk.last, workflows=(traced,)), (), 200)
    again = await told(StoreWithPast(ended(FIRST, at_ms=200, session_id=TURN)))

    assert [one.name for one in (*sink.records, again[1])] == [
        "mainspring.workflow order", "mainspring.workflow"
    ]  # fmt: skip
    for record, id_ in ((sink.records[0], desk.id), (again[1], TURN)):
        assert record.attributes[names.WORKFLOW_ID] == to_wire(Prefix.WORKFLOW, id_)
        assert record.attributes[names.WORKFLOW_OUTCOME] == "completed"
        assert names.OPERATION_NAME not in record.attributes


async def test_a_turn_that_goes_on_has_no_span_yet() -> None:
    (record,) = await told(StoreWithPast(ended(FIRST, at_ms=100, outcome=Outcome.RUNNING)))

    assert record.name == names.SPAN_ATTEMPT


@pytest.mark.parametrize("traceparent", ["", ROOT._replace(sampled=False).format()])
async def test_what_was_not_sampled_is_not_told(traceparent: str) -> None:
    assert await told(StoreWithPast(ended(FIRST, at_ms=100, traceparent=traceparent))) == []


async def test_a_store_that_is_away_costs_the_spans_alone() -> None:
    assert await told(StoreWithPast(away=True)) == []
