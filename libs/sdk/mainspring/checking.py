"""Replays recorded histories against the present code, calling no step.

What is found here before a deployment would hold the workflow after it.
"""

from collections.abc import Sequence
from itertools import takewhile

import msgspec
from msgspec import Struct

from mainspring.client import Client
from mainspring.declaring import Drawn
from mainspring.definitions import Workflow
from mainspring.descriptions import Description
from mainspring.going import Go
from mainspring.queries import Nobody
from mainspring.values import encode
from mainspring_kernel.draws import SeededDraws
from mainspring_schema.declarations import Declaration, hash_of, read, version_of
from mainspring_schema.tasks import WorkflowResult
from mainspring_schema.workflows import (
    CANCEL_STEP,
    INPUT_STEP,
    Flaw,
    Mismatch,
    StepKind,
    StepRecord,
    order_of,
    prefix_of,
)

_LISTED = 100


class Finding(Struct, frozen=True, kw_only=True):
    """What a replay of one history came to. It fits where there is no problem.

    `note` is of a declared one, which ends with its own declaration: what a fork could not keep.
    """

    id: str
    status: str
    steps: int
    problem: str = ""
    note: str = ""


async def replay(
    workflow: "Workflow[..., object]",
    records: dict[str, StepRecord],
    waits: "Sequence[Waited]" = (),
) -> Mismatch | None:
    """The first step at which the code differs from what is recorded; None where it fits.

    `waits` is what it rests on.
    """
    go = Go(workflow, records, Nobody(), draws=SeededDraws(0), replay_only=True)
    result = await go.run()
    if result.mismatch is not None:
        return result.mismatch
    given = next(iter(records))
    left = sorted(records.keys() - go.visited - {given}, key=order_of)
    if left:
        record = records[left[0]]
        return Mismatch(step=left[0], recorded=f"{record.kind} {record.name}", found="no step")
    return _other_wait(waits, result)


def _other_wait(waits: "Sequence[Waited]", ended: WorkflowResult) -> Mismatch | None:
    """What comes of a wait is recorded at its place, so there the code must wait for it, too."""
    stands = {wait.step: wait for wait in ended.waits}
    signals = {wait.name for wait in ended.waits if wait.kind == "signal"}
    for one in sorted(waits, key=lambda one: order_of(one.step)):
        wait = stands.get(one.step)
        if wait is None and one.kind == "signal" and one.name in signals:
            continue  # where the code has left another wait for it
        told = f"a wait for {one.kind} {one.name}"
        if wait is None:
            found = "no wait" if ended.outcome == "suspended" else "its end"
            return Mismatch(step=one.step, recorded=told, found=found)
        if (wait.kind, wait.name) != (one.kind, one.name):
            return Mismatch(step=one.step, recorded=told, found=f"{wait.kind} {wait.name}")
        if wait.delay_ms != one.delay_ms:
            return Mismatch(step=one.step, recorded=told, found="one with another time")
    return None


async def check(client: Client, workflows: "Sequence[Workflow[..., object]]") -> list[Finding]:
    """Of the newest histories of each workflow; what still goes on matters most."""
    findings: list[Finding] = []
    for workflow in workflows:
        page = await client.search(type=workflow.name, limit=_LISTED)
        for described in page.data:
            if workflow.drawn is None:
                findings.append(await _check_one(client, workflow, described))
            else:
                findings.append(await _check_declared(client, workflow.drawn, described))
    return findings


async def _check_declared(client: Client, drawn: Drawn, described: Description) -> Finding:
    """By names and places; what the steps were given a fork compares itself."""
    told = await _told(client, described.id)
    note = ""
    if described.version != version_of(hash_of(drawn.declaration)):
        note = _first_other(read(drawn.declaration), told)
    return Finding(id=described.id, status=described.status, steps=len(told), note=note)


async def _told(client: Client, id_: str) -> dict[str, "_Told"]:
    """The steps of a declared one by their place, with those that it was forked with."""
    events = await client.history(id_)
    found = {
        one.step: one
        for event in events
        if event["type"] == "step.completed" and (one := msgspec.convert(event["data"], _Told))
    }
    started = _start_of(events)
    fork = None if started is None else started.forked_from
    if fork is None:
        return found
    taken = await _told(client, fork.workflow_id)
    return {
        place: one
        for place, one in taken.items()
        if fork.step is None or order_of(place) < order_of(fork.step)
    } | found


def _first_other(declaration: Declaration, told: "dict[str, _Told]") -> str:
    for one in sorted(told.values(), key=lambda one: order_of(one.step)):
        steps = declaration.steps[int(one.step) - 1 : int(one.step)]
        found = [f"{'step' if step.wait is None else step.wait.kind} {step.step}" for step in steps]
        if found != [f"{one.kind} {one.name}"]:
            differs = f"{one.kind} {one.name} is recorded, {''.join(found) or 'no step'} found"
            return f"keeps its declaration; fork it from step {one.step}: {differs}"
    return ""


async def _check_one(
    client: Client, workflow: "Workflow[..., object]", described: Description
) -> Finding:
    history = await client.history(described.id)
    try:
        records = await _records(client, history)
    except _LeftOut as left_out:
        problem = f"not checked: the value of step {left_out} is too large for its event"
        return Finding(id=described.id, status=described.status, steps=0, problem=problem)
    mismatch = await replay(workflow, records, waits_of(history))
    problem = ""
    if mismatch is not None:
        problem = f"step {mismatch.step}: {mismatch.recorded} is recorded, {mismatch.found} found"
    return Finding(
        id=described.id, status=described.status, steps=len(records) - 1, problem=problem
    )


async def _records(
    client: Client, own: list[dict[str, object]], *, generation: int | None = None
) -> dict[str, StepRecord]:
    """All that a workflow is replayed with: its own, and before them what it was forked with.

    Of the newest generation, or of the one that a fork began in.
    """
    if generation is not None:
        own = list(takewhile(lambda event: _begins(event) <= generation, own))
    records, started = records_of(own), _start_of(own)
    fork = None if started is None else started.forked_from
    if started is None or fork is None or prefix_of(started.generation) + INPUT_STEP not in records:
        return records
    source = await client.history(fork.workflow_id)
    taken = await _records(client, source, generation=started.generation)
    return records | {
        place: record
        for place, record in taken.items()
        if place not in records and (fork.step is None or order_of(place) < order_of(fork.step))
    }


def _begins(event: dict[str, object]) -> int:
    """The generation that begins with it; 0 where none does."""
    if event["type"] != "workflow.started_over":
        return 0
    return msgspec.convert(event["data"], _Started).generation


def _start_of(events: Sequence[dict[str, object]]) -> "_Started | None":
    started = next((event for event in events if event["type"] == "workflow.started"), None)
    return None if started is None else msgspec.convert(started["data"], _Started)


def records_of(events: Sequence[dict[str, object]]) -> dict[str, StepRecord]:
    """What a history's events say was recorded, since the code started over for the last time."""
    records: dict[str, StepRecord] = {}
    for event in events:
        if event["type"] in ("workflow.started", "workflow.started_over"):
            given = _input_of(msgspec.convert(event["data"], _Started))
            records = {given.step: given}
        elif event["type"] in ("step.completed", "workflow.reported"):
            told = msgspec.convert(event["data"], _Told)
            if told.result_bytes is not None:
                raise _LeftOut(told.step)
            records[told.step] = StepRecord(
                step=told.step,
                name=told.name,
                kind=told.kind,
                input_hash=bytes.fromhex(told.input_hash),
                result=encode(told.result),
                flaw=told.error,
                nth=told.nth,
                after=told.after,
            )
    return records


def waits_of(events: Sequence[dict[str, object]]) -> "tuple[Waited, ...]":
    """What it rests on, by its history; nothing where it has gone on since it rested."""
    rests: tuple[Waited, ...] = ()
    for event in events:
        if event["type"] == "workflow.waiting":
            rests = msgspec.convert(event["data"], _Rests).waits
        elif event["type"] != "workflow.signalled":  # which nobody took, or else that follows
            rests = ()
    return tuple(one for one in rests if not one.step.endswith(CANCEL_STEP))


def _input_of(started: "_Started") -> StepRecord:
    place = prefix_of(started.generation) + INPUT_STEP
    if started.input_bytes is not None:
        raise _LeftOut(place)
    return StepRecord(step=place, name=started.type, kind="input", result=encode(started.input))


class _LeftOut(Exception):
    pass


class _Started(Struct):
    type: str = ""
    generation: int = 0
    input: object = None
    input_bytes: int | None = None
    forked_from: "_Fork | None" = None


class Waited(Struct):
    """A wait, as the history tells it."""

    step: str
    name: str
    kind: StepKind
    delay_ms: int | None = None


class _Rests(Struct):
    waits: tuple[Waited, ...] = ()


class _Fork(Struct):
    workflow_id: str
    step: str | None


class _Told(Struct):
    step: str
    name: str
    kind: StepKind
    input_hash: str = ""
    result: object = None
    result_bytes: int | None = None
    error: Flaw | None = None
    nth: int = 0
    after: tuple[str, ...] = ()
