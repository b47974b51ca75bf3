"""How sessions above and below one another know of each other's turns.

A child's turn tells its parent's session in the commit that begins it, and in the one that ends it.
Between the two the parent keeps a *link*: a signal to itself that nobody takes before. So the links
that lie there are what is at work below a session, and a cancel of the parent finds all of it.
"""

from collections.abc import Collection
from typing import Final
from uuid import UUID

import msgspec

from mainspring_engine.domain.changes import NewSignal, TakeSignal
from mainspring_engine.domain.materials import Materials
from mainspring_engine.domain.plan import Plan
from mainspring_engine.domain.rows import Outcome, SignalRow
from mainspring_engine.domain.turn.turn import Turn
from mainspring_engine.domain.workflow.children import CANCEL, ENDED, START
from mainspring_schema.codec import pack
from mainspring_schema.lineage import BY_PARENT, Begun, News, SpawnedBy

LINK: Final = "child:turn"
GONE: Final = b"gone"
"""With the order to stop: the parent is deleted, and takes no news any more."""
_BEGUN: Final = msgspec.msgpack.Decoder(Begun)
_HOW: Final = {
    Outcome.COMPLETED: "has succeeded",
    Outcome.FAILED: "has failed",
    Outcome.CANCELLED: "was cancelled",
    Outcome.SEALED: "has failed",
}


# ── of a child ──────────────────────────────────────────────────────────────────────────────────


def tell_begun(turn: Turn, parent: SpawnedBy | None) -> None:
    """Of a turn that takes its parent's message; it tells of itself once, whatever comes after."""
    if parent is None or turn.state.parent is not None:
        return
    turn.update(parent=parent.session_id)
    begun = Begun(session_id=turn.plan.head.session_id, turn_id=parent.turn_id, wakes=parent.wakes)
    _tell(turn, parent.session_id, START, begun, source=turn.workflow.id)


def tell_ended(turn: Turn, outcome: Outcome) -> None:
    """With the outcome, of a turn that has told of its beginning."""
    if turn.state.parent is not None:
        quiet = turn.state.cancel_reason == BY_PARENT
        news = News(turn_id=turn.workflow.id, how=_HOW[outcome], quiet=quiet)
        _tell(turn, turn.state.parent, ENDED, news, source=turn.workflow.id)


def tell_rests(turn: Turn) -> None:
    """It waits for people: whoever waits for the child may want to know. It may do so again."""
    if turn.state.parent is not None:
        news = News(turn_id=turn.workflow.id, over=False)
        _tell(turn, turn.state.parent, ENDED, news, source=turn.ids.uuid7())


# ── of a parent ─────────────────────────────────────────────────────────────────────────────────


def add(plan: Plan, child_turn: UUID, begun: Begun) -> None:
    """Keeps a link to a child's turn until it is over."""
    link = NewSignal(source=child_turn, kind=LINK, body=pack(begun), taken=False)
    plan.signals.append(link)


def drop(plan: Plan, materials: Materials, child_turn: UUID) -> str | None:
    """The child's turn is over, or was told to stop; nothing where its link is gone already.

    Its beginning may lie there untaken still, which is taken along. Returns what wakes the parent,
    where the child's end is to do so. Raises WaitingMissing.
    """
    wakes = None
    for row in _rows(plan, materials):
        if row.source == child_turn:
            _take(plan, row)
            wakes = _begun(plan, row, materials).wakes
    return wakes


def is_live(plan: Plan, materials: Materials, child_turn: UUID) -> bool:
    """Whether a child's turn goes on, as far as its parent has heard. Raises WaitingMissing."""
    return any(row.source == child_turn for row in _rows(plan, materials))


def stop_below(
    plan: Plan, materials: Materials, only: Collection[UUID] | None = None
) -> frozenset[UUID]:
    """Tells the children's turns to stop, all or those; returns which were told.

    One whose beginning was not taken yet is told when it is; a session that is deleted in this plan
    hears of none any more. Raises WaitingMissing, AgentMissing.
    """
    newest = plan.workflow
    if newest is None:
        return frozenset()
    # An agent that cannot spawn now may have been able to in a turn before.
    if newest.ordinal == 1 and not materials.agent(newest.config_hash).spawns:
        return frozenset()
    told: set[UUID] = set()
    for row in _rows(plan, materials):
        if row.kind == LINK and (only is None or row.source in only):
            _take(plan, row)
            begun = _begun(plan, row, materials)
            stop(plan, row.source, begun, body=GONE if plan.head.closed else b"")
            told.add(row.source)
    return frozenset(told)


def stop(plan: Plan, child_turn: UUID, begun: Begun, *, body: bytes = b"") -> None:
    """Tells one child's turn to stop."""
    to = begun.session_id
    plan.signals.append(NewSignal(source=child_turn, kind=CANCEL, body=body, taken=False, to=to))


def _rows(plan: Plan, materials: Materials) -> list[SignalRow]:
    """Links, and beginnings that are none yet, as this plan leaves them."""
    kept = (
        row
        for row in materials.waiting_of(plan.head.session_id).signals
        if not any((t.source, t.kind) == (row.source, row.kind) for t in plan.taken_signals)
    )
    fresh = (
        SignalRow(source=new.source, kind=new.kind, body=new.body)
        for new in plan.signals
        if new.to is None and not new.taken
    )
    return [row for row in (*kept, *fresh) if row.kind in (LINK, START)]


def _begun(plan: Plan, row: SignalRow, materials: Materials) -> Begun:
    return _BEGUN.decode(materials.body_of(plan.head.session_id, row))


def _take(plan: Plan, row: SignalRow) -> None:
    for index, new in enumerate(plan.signals):
        if new.to is None and (new.source, new.kind) == (row.source, row.kind):
            plan.signals[index] = msgspec.structs.replace(new, taken=True)
            return
    plan.taken_signals.append(TakeSignal(source=row.source, kind=row.kind))


def _tell(turn: Turn, to: UUID, kind: str, what: Begun | News, *, source: UUID) -> None:
    told = NewSignal(source=source, kind=kind, body=pack(what), taken=False, to=to)
    turn.plan.signals.append(told)
