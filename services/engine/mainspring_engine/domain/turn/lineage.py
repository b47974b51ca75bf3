"""What a turn's session hears from the sessions above and below it."""

from typing import Final
from uuid import UUID

import msgspec

from mainspring_engine.domain.changes import TakeSignal
from mainspring_engine.domain.intents import SignalCame
from mainspring_engine.domain.materials import Materials
from mainspring_engine.domain.plan import Plan
from mainspring_engine.domain.rows import Head, Outcome, SignalRow
from mainspring_engine.domain.turn import delivery, ending, joins, links, machine
from mainspring_engine.domain.turn import state as states
from mainspring_engine.domain.turn.state import OpenCall, Phase
from mainspring_engine.domain.turn.turn import Turn
from mainspring_engine.domain.workflow.children import CANCEL, ENDED, LOST, START, untaken
from mainspring_schema.frames import Verdict
from mainspring_schema.grants import SessionStatus
from mainspring_schema.lineage import Begun, News

_BEGUN: Final = msgspec.msgpack.Decoder(Begun)
_NEWS: Final = msgspec.msgpack.Decoder(News)
PARENT: Final = "the session that spawned it was cancelled"
"""Why a child is cancelled, as it says."""


def came(plan: Plan, intent: SignalCame, materials: Materials) -> Verdict:
    """A signal of a parent or a child; each has its effect once, in whatever order they come."""
    if intent.kind == LOST:
        return Verdict.STALE  # a call that waits looks again by itself
    signal = untaken(plan, intent, materials)
    if signal is None:
        return Verdict.STALE
    if intent.kind == START:
        _child_began(plan, signal, materials)
    elif intent.kind == ENDED:
        _child_told(plan, signal, materials)
    elif intent.kind == CANCEL:
        _told_to_stop(plan, signal, materials)
    return Verdict.COMMITTED


def tell_rests(plan: Plan, before: Head, materials: Materials) -> None:
    """Tells the parent of a turn that has come to wait for people."""
    running = plan.running
    if running is not None and running.is_turn and _waits(plan.head) and not _waits(before):
        links.tell_rests(Turn(plan, running, materials))


def _waits(head: Head) -> bool:
    return head.paused or head.status is SessionStatus.WAITINGFORTOOLRESULTS


# ── what came ───────────────────────────────────────────────────────────────────────────────────


def _child_began(plan: Plan, signal: SignalRow, materials: Materials) -> None:
    """One whose call was cancelled before it was heard of must not go on alone."""
    begun = _BEGUN.decode(materials.body_of(plan.head.session_id, signal))
    _take(plan, signal)
    if begun.turn_id is not None and _is_cancelled(plan, begun.turn_id, materials):
        links.stop(plan, signal.source, begun)
    else:
        links.add(plan, signal.source, begun)
    _rewrite(plan)


def _is_cancelled(plan: Plan, turn_id: UUID, materials: Materials) -> bool:
    """Of the newest turn, or of one before it: an interrupt begins the next in the same commit."""
    newest, running = plan.workflow, plan.running
    if newest is None or newest.id != turn_id:
        return newest is not None and turn_id in states.decode(newest).stopped
    if running is None:
        return newest.outcome is Outcome.CANCELLED
    return Turn(plan, running, materials).state.phase is Phase.CANCELLING


def _child_told(plan: Plan, signal: SignalRow, materials: Materials) -> None:
    news = _NEWS.decode(materials.body_of(plan.head.session_id, signal))
    running = plan.running
    turn = None if running is None else Turn(plan, running, materials)
    call = None if turn is None else _joined(turn, news)
    if turn is not None and call is not None and turn.state.phase is not Phase.CANCELLING:
        joins.wake(turn, call)
        turn.save()
    _take(plan, signal)
    if news.over:
        wakes = links.drop(plan, materials, news.turn_id)
        if wakes is not None and call is None and not news.quiet:
            told = f"The background task {wakes} {news.how}. get_task brings its result."
            delivery.wake(plan, told, f"ended:{news.turn_id.hex}", materials)
        if turn is not None and call is not None and turn.state.phase is Phase.CANCELLING:
            machine.child_stopped(turn, call)
    _rewrite(plan)


def _joined(turn: Turn, news: News) -> OpenCall | None:
    wanted = news.turn_id.bytes
    return next((call for call in turn.state.calls if call.child == wanted), None)


def _told_to_stop(plan: Plan, signal: SignalRow, materials: Materials) -> None:
    """The signal's source is the turn that is meant: one that began since is somebody else's."""
    running = plan.running
    if running is None or running.id != signal.source:
        _take(plan, signal)
        _rewrite(plan)
        return
    turn = Turn(plan, running, materials)
    stopping = turn.state.phase is Phase.CANCELLING
    tasks = () if stopping else ending.open_tasks(turn)
    _take(plan, signal)
    if signal.body == links.GONE:
        turn.update(parent=None)
    if stopping:
        turn.save()
    else:
        ending.cancel(turn, PARENT, tasks)


def _take(plan: Plan, signal: SignalRow) -> None:
    plan.taken_signals.append(TakeSignal(source=signal.source, kind=signal.kind))


def _rewrite(plan: Plan) -> None:
    """The row of the newest turn is written again, so that of two takes one is refused."""
    if plan.workflow is not None:
        plan.put_workflow(plan.workflow)
