"""Recorded histories against code: no step is called, and the first difference is named."""

import httpx
import msgspec
import pytest

from mainspring import Client, Workflow, do, do_sleep, step, wait_for_signal, workflow
from mainspring.checking import Waited, check, records_of, replay, waits_of
from mainspring_schema.workflows import StepRecord
from tests.unit.sdk.fake import CALLS, FakeEngine, double


@pytest.fixture(autouse=True)
def no_calls() -> None:
    CALLS.clear()


@step
async def plain(x: int) -> int:
    return x + 1


@workflow
async def it(x: int) -> int:
    return await double(await plain(x))


async def recorded() -> dict[str, StepRecord]:
    engine = FakeEngine(1)
    await engine.run(it)
    CALLS.clear()
    return engine.records


async def test_the_same_code_fits_and_calls_nothing() -> None:
    assert await replay(it, await recorded()) is None
    assert CALLS == []


async def test_an_unfinished_history_fits_as_far_as_it_goes() -> None:
    records = await recorded()
    del records["2"]

    assert await replay(it, records) is None
    assert CALLS == []


async def test_another_step_is_named() -> None:
    @workflow
    async def changed(x: int) -> int:
        return await plain(await plain(x))

    mismatch = await replay(changed, await recorded())

    assert mismatch is not None
    assert (mismatch.step, mismatch.recorded, mismatch.found) == (
        "2", "step double", "step plain",
    )  # fmt: skip


async def test_a_step_that_is_not_there_any_more_is_named() -> None:
    @workflow
    async def shorter(x: int) -> int:
        return await plain(x)

    mismatch = await replay(shorter, await recorded())

    assert mismatch is not None
    assert (mismatch.step, mismatch.found) == ("2", "its end")


async def test_code_that_waits_where_a_step_is_recorded_differs() -> None:
    @workflow
    async def waiting(x: int) -> object:
        await plain(x)
        return await wait_for_signal("go")

    mismatch = await replay(waiting, await recorded())

    assert mismatch is not None
    assert (mismatch.step, mismatch.found) == ("2", "signal go")


@workflow
async def approved(x: int) -> object:
    await plain(x)
    return await wait_for_signal("go", timeout_s=60)


@workflow
async def not_asked(x: int) -> object:
    return await double(await plain(x))


@workflow
async def asks_longer(x: int) -> object:
    await plain(x)
    return await wait_for_signal("go", timeout_s=90)


@workflow
async def over_at_once(x: int) -> object:
    return await plain(x)


@pytest.mark.parametrize(
    ("code", "found"),
    [
        (approved, None),
        (not_asked, "step double"),
        (asks_longer, "one with another time"),
        (over_at_once, "its end"),
    ],
)
async def test_code_that_does_not_wait_where_the_workflow_rests_differs(
    code: "Workflow[[int], object]", found: str | None
) -> None:
    engine = FakeEngine(1)
    await engine.run(approved)
    rests = Waited(step="2", name="go", kind="signal", delay_ms=60_000)

    mismatch = await replay(code, engine.records, (rests,))

    assert found == (None if mismatch is None else mismatch.found)
    if mismatch is not None:
        assert (mismatch.step, mismatch.recorded) == ("2", "a wait for signal go")


async def test_a_signal_may_be_waited_for_where_another_wait_of_it_was_left() -> None:
    engine = FakeEngine(1)
    await engine.run(approved)
    rests = Waited(step="7/1", name="go", kind="signal")

    assert await replay(approved, engine.records, (rests,)) is None


def test_what_a_workflow_rests_on_is_read_from_events_unless_it_went_on() -> None:
    rests: dict[str, object] = {
        "type": "workflow.waiting",
        "data": {
            "waits": [
                {"step": "2", "name": "go", "kind": "signal", "delay_ms": None},
                {"step": "999999999/1", "name": "(cancel)", "kind": "signal", "delay_ms": None},
            ]
        },
    }
    other: dict[str, object] = {"type": "workflow.signalled", "data": {"name": "other"}}
    done: dict[str, object] = {"type": "step.completed", "data": {"step": "2"}}

    assert waits_of([done, rests, other]) == (Waited(step="2", name="go", kind="signal"),)
    assert waits_of([rests, other, done]) == ()


def test_records_are_read_from_events() -> None:
    events: list[dict[str, object]] = [
        {"type": "workflow.started", "data": {"type": "it", "input": [1]}},
        {
            "type": "step.completed",
            "data": {
                "step": "1",
                "name": "plain",
                "kind": "step",
                "input_hash": "00ff",
                "attempts": 1,
                "error": {"code": "step_failed", "message": "no", "type": "ValueError"},
            },
        },
        {"type": "workflow.waiting", "data": {}},
    ]

    records = records_of(events)

    assert records["0"].result == b"[1]"
    assert records["1"].input_hash == b"\x00\xff"
    assert records["1"].flaw is not None


def test_what_is_recorded_begins_anew_where_the_code_started_over() -> None:
    old = StepRecord(step="1", name="plain", result=b"2")
    new = StepRecord(step="a1~1", name="plain", result=b"3")
    events: list[dict[str, object]] = [
        {"type": "workflow.started", "data": {"type": "it", "input": [1]}},
        told(old),
        {"type": "workflow.started_over", "data": {"generation": 1, "input": [2]}},
        told(new),
    ]

    records = records_of(events)

    assert list(records) == ["a1~0", "a1~1"]
    assert records["a1~0"].result == b"[2]"


def told(record: StepRecord) -> dict[str, object]:
    return {
        "type": "step.completed",
        "data": {
            "step": record.step,
            "name": record.name,
            "kind": record.kind,
            "input_hash": record.input_hash.hex(),
            "result": msgspec.json.decode(record.result),
        },
    }


def client_of(histories: dict[str, list[dict[str, object]]]) -> Client:
    """Knows the histories of one fork and its source."""
    described = {"id": "fork", "type": "it", "key": "k", "queue": "q", "status": "completed"}

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/events"):
            events = histories[request.url.path.split("/")[-2]]
            after = int(request.url.params["after_sequence"])
            return httpx.Response(200, json={"data": events[after : after + 2]})
        return httpx.Response(200, json={"data": [described | {"created_at": ""}]})

    return Client("http://x", transport=httpx.MockTransport(answer))


async def test_a_fork_is_checked_with_what_it_took_over() -> None:
    records = await recorded()
    started: dict[str, object] = {"type": "it", "input": [1]}
    histories: dict[str, list[dict[str, object]]] = {
        "source": [
            {"type": "workflow.started", "data": started},
            *(told(records[place]) for place in ("1", "2")),
            {"type": "workflow.started_over", "data": {"generation": 1, "input": [7]}},
        ],
        "fork": [
            {
                "type": "workflow.started",
                "data": started | {"forked_from": {"workflow_id": "source", "step": "2"}},
            },
            told(records["2"]),
        ],
    }
    async with client_of(histories) as client:
        (finding,) = await check(client, [it])

    assert (finding.problem, finding.steps) == ("", 2)
    assert CALLS == []


@workflow(driver="machine", name="it")
def declared(x: int) -> int:
    return do(double, do(plain, x))


@workflow(driver="machine", name="it")
def longer(x: int) -> int:
    return do(plain, do(double, do(plain, x)))


@workflow(driver="machine", name="it")
def waiting(x: int) -> int:
    first = do(plain, x)
    do_sleep(60)
    return first


@workflow(driver="machine", name="it")
def short(x: int) -> int:
    return do(plain, x)


@pytest.mark.parametrize(
    ("present", "note"),
    [
        (declared, ""),
        (longer, ""),
        (waiting, "fork it from step 2: step double is recorded, sleep sleep found"),
        (short, "fork it from step 2: step double is recorded, no step found"),
    ],
)
async def test_of_a_declared_one_it_is_told_from_where_on_a_fork_does_anew(
    present: "Workflow[..., object]", note: str
) -> None:
    """It ends with its own declaration, so that is no problem."""
    first = {"step": "1", "name": "plain", "kind": "step", "result": 2}
    second = {"step": "2", "name": "double", "kind": "step", "result": 4}
    started: dict[str, object] = {"type": "it", "input": [1]}
    origin = {"workflow_id": "source", "step": "2"}
    histories: dict[str, list[dict[str, object]]] = {
        "source": [
            {"type": "workflow.started", "data": started},
            {"type": "step.completed", "data": first},
            {"type": "step.completed", "data": second | {"name": "other"}},
        ],
        "fork": [
            {"type": "workflow.started", "data": started | {"forked_from": origin}},
            {"type": "step.completed", "data": second},
        ],
    }

    async with client_of(histories) as client:
        (finding,) = await check(client, [present])

    assert (finding.problem, finding.steps) == ("", 2)
    assert finding.note.endswith(note)
    assert bool(finding.note) is bool(note)


async def test_a_fork_of_a_later_generation_is_checked_with_the_records_of_that_one() -> None:
    records = await recorded()
    later = [
        told(msgspec.structs.replace(records[place], step=f"a1~{place}")) for place in ("1", "2")
    ]
    wrong = told(msgspec.structs.replace(records["1"], name="other"))
    origin = {"workflow_id": "source", "step": "a1~2"}
    histories: dict[str, list[dict[str, object]]] = {
        "source": [
            {"type": "workflow.started", "data": {"type": "it", "input": [9]}},
            wrong,
            {"type": "workflow.started_over", "data": {"generation": 1, "input": [1]}},
            *later,
            {"type": "workflow.started_over", "data": {"generation": 2, "input": [7]}},
        ],
        "fork": [
            {
                "type": "workflow.started",
                "data": {"type": "it", "input": [1], "generation": 1, "forked_from": origin},
            },
            later[1],
        ],
    }

    async with client_of(histories) as client:
        (finding,) = await check(client, [it])

    assert (finding.problem, finding.steps) == ("", 2)
