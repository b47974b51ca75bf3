"""The invariant queries find nothing in an honest log, and each planted violation."""

import contextlib

import pytest
from msgspec import Struct

from mainspring_postgres import load_queries
from mainspring_schema.grants import AppendVerdict
from tests.contract.eventstore.event_log import PostgresWorld, Story, query
from tests.contract.eventstore.test_event_log_reading import forked, streamed

INVARIANTS = load_queries("mainspring_local.invariants", "log.sql")


class Finding(Struct, frozen=True, kw_only=True):
    examined: int
    violating: list[str]


class TakenBack(Exception):
    """Ends a transaction whose writes must not stay."""


async def findings(world: PostgresWorld, *before: str) -> dict[str, Finding]:
    """What the queries find after the statements `before`, which are then taken back."""
    found: dict[str, Finding] = {}
    with contextlib.suppress(TakenBack):
        async with world.owner.transaction() as tx:
            for statement in before:
                await tx.execute(query("before", statement))
            for name in INVARIANTS:
                (found[name],) = await tx.fetch_as(Finding, INVARIANTS[name])
            raise TakenBack
    return found


async def test_an_honest_log_breaks_nothing(shared_log_world: PostgresWorld) -> None:
    parent = await streamed(shared_log_world)
    await forked(parent, 5)
    retried = await Story(shared_log_world).open()
    await retried.start_turn("m1")
    await retried.stream(retried.delta(0, "old"))
    await retried.append("reason.recovered", anchors=[retried.anchor("m1", 2)])
    verdicts = await retried.stream(retried.delta(0, "new", attempt=2, reset=True))

    found = await findings(shared_log_world)

    assert verdicts == [AppendVerdict.COMMITTED]
    assert [finding.violating for finding in found.values()] == [[]] * len(INVARIANTS)
    assert all(finding.examined > 0 for finding in found.values())


DELTAS = "deltas_are_dense"
ATTEMPTS = "delta_attempts_never_fall"
EVENTS = "sequences_are_dense"
CHAIN = "chains_are_whole"


@pytest.mark.parametrize(
    ("violation", "expected"),
    [
        ("delete from log.event where seq = 3", {EVENTS, CHAIN}),
        ("delete from log.event where seq = 8", {EVENTS}),
        ("update log.head set last_seq = last_seq + 1", {EVENTS, DELTAS}),
        ("delete from log.head", {EVENTS, DELTAS}),
        ("update log.event set payload = '{}' where seq = 2", {CHAIN}),
        ("update log.event set type = 'turn.failed' where seq = 2", {CHAIN}),
        ("update log.event set h = sha256(h) where seq = 8", {CHAIN}),
        ("update log.head set hash = 'x'", {CHAIN}),
        ("update log.head set n = n + 1", {DELTAS}),
        ("update log.event set deltas_before = 1 where seq = 5", {DELTAS}),
        ("delete from log.delta where seq = 4", {DELTAS, ATTEMPTS}),
        ("delete from log.delta where seq = 5", {DELTAS}),
        ("update log.delta set attempt = 2 where seq = 4 and n = 1", {ATTEMPTS}),
        ('update log.delta set "offset" = 7 where seq = 5', {ATTEMPTS}),
    ],
)
async def test_a_planted_violation_is_found(
    shared_log_world: PostgresWorld, violation: str, expected: set[str]
) -> None:
    await streamed(shared_log_world)

    # Triggers stand in the way, so they are switched off as only a superuser can.
    found = await findings(
        shared_log_world, "set local session_replication_role = replica", violation
    )

    assert {name for name, finding in found.items() if finding.violating} == expected
