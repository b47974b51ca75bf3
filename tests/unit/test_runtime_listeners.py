import threading
from collections.abc import Iterator, Sequence
from importlib.metadata import EntryPoint
from uuid import UUID

import pytest
from opentelemetry.sdk.metrics.export import InMemoryMetricReader, NumberDataPoint

from mainspring_runtime import listeners, names
from mainspring_runtime.listeners import CommittedEvent, Listeners, ListenerThread
from mainspring_runtime.metrics import Metrics, provider_of
from mainspring_runtime.model_metrics import ModelMetrics
from mainspring_runtime.names import Generation
from mainspring_schema.events import Context, StoredEvent, draft


def event(type_: str = "turn.completed", data: object = None, seq: int = 1) -> CommittedEvent:
    payload = draft(type_, Context(), {} if data is None else data).payload
    return CommittedEvent(
        org_id=UUID(int=1),
        session_id=UUID(int=2),
        event=StoredEvent(seq, type_, 1, payload),
    )


class Keeper:
    """A listener that keeps, and waits or fails where it is told to."""

    name = "keeper"

    def __init__(self, types: frozenset[str] | None = None) -> None:
        self.event_types = types
        self.got: list[int] = []
        self.entered = threading.Event()
        self.may_go = threading.Event()
        self.may_go.set()
        self.raises: type[BaseException] | None = None

    def on_event(self, batch: Sequence[CommittedEvent]) -> None:
        self.entered.set()
        assert self.may_go.wait(5)
        if self.raises is not None:
            raise self.raises
        self.got += [each.event.seq for each in batch]


@pytest.fixture
def keeper() -> Iterator[Keeper]:
    made = Keeper()
    yield made
    made.may_go.set()


def test_a_listener_gets_the_types_it_wants_in_order() -> None:
    keeper = Keeper(frozenset({"turn.completed"}))
    thread = ListenerThread(keeper, Metrics())

    thread.offer([event(seq=1), event("turn.failed", seq=2), event(seq=3)])
    thread.offer([event("turn.failed", seq=4)])

    assert thread.drained(5)
    assert keeper.got == [1, 3]
    thread.stop()


def test_a_slow_listener_loses_events_and_delays_nobody(keeper: Keeper) -> None:
    keeper.may_go.clear()
    thread = ListenerThread(keeper, Metrics(), queue_max=3)
    thread.offer([event(seq=0)])
    assert keeper.entered.wait(5)

    thread.offer([event(seq=number) for number in range(1, 6)])

    assert thread.dropped == 2
    assert not thread.drained(0.01)
    keeper.may_go.set()
    assert thread.drained(5)
    assert keeper.got == [0, 1, 2, 3]
    thread.stop()


@pytest.mark.parametrize("error", [ZeroDivisionError, SystemExit])
def test_a_failing_listener_goes_on_and_is_logged_ever_more_rarely(
    keeper: Keeper, error: type[BaseException], caplog: pytest.LogCaptureFixture
) -> None:
    keeper.raises = error
    thread = ListenerThread(keeper, Metrics())
    for number in range(5):
        thread.offer([event(seq=number)])
        assert thread.drained(5)

    keeper.raises = None
    thread.offer([event(seq=9)])

    assert thread.drained(5)
    assert (thread.failed, keeper.got) == (5, [9])
    assert len(caplog.records) == 3
    thread.stop()


def test_one_listener_harms_no_other(keeper: Keeper) -> None:
    keeper.may_go.clear()
    other = Keeper()
    group = Listeners([ListenerThread(keeper, Metrics()), ListenerThread(other, Metrics())])

    group.publish([event(seq=1)])
    group.close(grace_s=0.05)
    group.close(grace_s=0)

    assert other.got == [1]


def test_listeners_are_found_by_entry_point_and_a_broken_one_is_left_out(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    found = [
        EntryPoint("model_metrics", "mainspring_runtime.model_metrics:ModelMetrics", "x"),
        EntryPoint("broken", "no.such.module:Listener", "x"),
    ]

    def find(*, group: str) -> list[EntryPoint]:
        assert group == "mainspring.event_listeners"
        return found

    monkeypatch.setattr(listeners, "entry_points", find)

    loaded = Listeners.load(Metrics())

    assert loaded.names == ("model_metrics",)
    assert "broken cannot be loaded" in caplog.text
    loaded.close(grace_s=0)


def test_the_first_listener_is_installed() -> None:
    loaded = Listeners.load(Metrics())

    assert "model_metrics" in loaded.names
    loaded.close(grace_s=0)


# ── the first listener ──────────────────────────────────────────────────────────────────────────

CALL: dict[str, object] = {
    "messages": [],
    "metadata": {
        "model": "llmsim",
        "provider": "llmsim",
        "success": True,
        "usage": {"input_tokens": 10, "output_tokens": 4, "cache_creation_tokens": 2},
        "duration_ms": 250,
        "time_to_first_token_ms": 20,
        "finish_reasons": ["stop"],
    },
}


def values(reader: InMemoryMetricReader) -> dict[str, list[tuple[float, dict[str, object]]]]:
    """Sums by metric: (value or sum, attributes)."""
    data = reader.get_metrics_data()
    found: dict[str, list[tuple[float, dict[str, object]]]] = {}
    if data is None:
        return found
    for resource in data.resource_metrics:
        for scope in resource.scope_metrics:
            for metric in scope.metrics:
                for point in metric.data.data_points:
                    value = point.value if isinstance(point, NumberDataPoint) else point.sum
                    found.setdefault(metric.name, []).append((value, dict(point.attributes or {})))
    return found


def counted(
    *events: CommittedEvent, generation: Generation = Generation.G2
) -> dict[str, list[tuple[float, dict[str, object]]]]:
    reader = InMemoryMetricReader()
    metrics = Metrics(provider_of([reader], "test"), generation)
    ModelMetrics(metrics).on_event(events)
    found = values(reader)
    metrics.close()
    return found


def test_a_model_call_counts_tokens_latency_and_finish_reason() -> None:
    found = counted(event("llm.generation", CALL))

    where = {
        names.OPERATION_NAME: "chat",
        names.PROVIDER_NAME: "llmsim",
        names.REQUEST_MODEL: "llmsim",
    }
    tokens = {**where, names.TOKEN_MODALITY: "text"}
    assert found["gen_ai.client.inference.usage.input_tokens"] == [(10, tokens)]
    assert found["gen_ai.client.inference.usage.output_tokens"] == [(4, tokens)]
    assert found["gen_ai.client.inference.usage.cache_write.input_tokens"] == [(2, tokens)]
    assert found["gen_ai.client.inference.usage.reasoning.output_tokens"] == [(0, tokens)]
    assert found["gen_ai.client.inference.duration"] == [(0.25, where)]
    assert found["gen_ai.client.inference.time_to_first_chunk"] == [(0.02, where)]
    assert found["mainspring.model.finish_reasons"] == [
        (1, {**where, names.RESPONSE_FINISH_REASONS: "stop"})
    ]
    assert "gen_ai.client.token.usage" not in found


def test_the_older_generation_counts_tokens_by_type() -> None:
    found = counted(event("llm.generation", CALL), generation=Generation.G1)

    by_type = found["gen_ai.client.token.usage"]
    usage = {where[names.TOKEN_TYPE]: value for value, where in by_type}
    assert usage == {"input": 10, "output": 4}
    assert "gen_ai.client.operation.duration" in found
    assert not any("inference" in name for name in found)


def test_a_failed_call_counts_zero_tokens_and_an_error() -> None:
    failed = {"metadata": {"model": "m", "success": False, "error": "x", "duration_ms": 5}}

    found = counted(event("llm.generation", failed))

    ((value, _),) = found["gen_ai.client.inference.usage.input_tokens"]
    ((_, timed),) = found["gen_ai.client.inference.duration"]
    assert value == 0
    assert timed[names.ERROR_TYPE] == "model_error"
    assert timed[names.PROVIDER_NAME] == "unknown"


def test_tools_and_turns_are_timed_and_counted() -> None:
    tool_call = {"tool_name": "add", "success": False, "status": "timeout", "duration_ms": 7}
    found = counted(
        event("tool.completed", tool_call),
        event("turn.completed", {"duration_ms": 900, "llm_call_count": 2, "tool_call_count": 1}),
        event("turn.failed", {"error_code": "poison"}),
    )

    ((seconds, tool),) = found["gen_ai.execute_tool.duration"]
    assert (seconds, tool[names.TOOL_NAME], tool[names.ERROR_TYPE]) == (0.007, "add", "timeout")
    assert found["gen_ai.invoke_agent.duration"] == [(0.9, {names.OPERATION_NAME: "invoke_agent"})]
    assert [value for value, _ in found["gen_ai.invoke_agent.inference_calls"]] == [2]
    turns = found["mainspring.turn.outcomes"]
    outcomes = {where[names.TURN_OUTCOME] for _, where in turns}
    assert outcomes == {"completed", "failed"}


def test_an_event_that_is_not_understood_is_skipped(caplog: pytest.LogCaptureFixture) -> None:
    found = counted(event("llm.generation", {"metadata": 3}), event("turn.completed"))

    assert "mainspring.turn.outcomes" in found
    assert "llm.generation is not understood" in caplog.text


def test_without_a_collector_nothing_is_recorded() -> None:
    metrics = Metrics()

    ModelMetrics(metrics).on_event([event("llm.generation", CALL)])

    assert not metrics.collected
    metrics.close()
