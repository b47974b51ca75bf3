"""How a repeated command is answered when the commit found that it was there already."""

from mainspring_engine.domain.changes import Changes
from mainspring_engine.domain.intents import Emitted, SignalCame, WorkflowSignalled, WorkflowStarted
from mainspring_engine.ports.inbox import Known
from mainspring_engine.ports.store import Committed
from mainspring_engine.usecases.lane import Entry
from mainspring_kernel.errors import IdempotencyMismatch, WorkflowKeyMismatch
from mainspring_schema import commands
from mainspring_schema.frames import Verdict
from mainspring_schema.workflows import Signalled, Started


def settled_workflow(
    entry: Entry,
    intent: WorkflowStarted | WorkflowSignalled | SignalCame,
    changes: Changes,
    reply: Committed,
) -> bool:
    """A repeat is answered like the first, unless it says another thing now."""
    if reply.verdict is not Verdict.DUPLICATE:
        return False
    if isinstance(intent, SignalCame):
        # A child that another engine started meanwhile: its commit took the signal.
        if reply.started is not None:
            entry.ticket.done(Verdict.STALE)
        return reply.started is not None
    if isinstance(intent, WorkflowSignalled):
        others = (*(close.verdict for close in reply.closes), *reply.emits)
        if Verdict.DUPLICATE in others:
            return False
        entry.ticket.done(Signalled(duplicate=True))
        return True
    known, start = reply.started, changes.start
    if known is None or start is None:
        return False
    if known.hash == start.hash:
        entry.ticket.done(Started(workflow_id=known.workflow_id, duplicate=True))
    else:
        entry.ticket.failed(WorkflowKeyMismatch())
    return True


def emit_verdict(intent: Emitted, changes: Changes, reply: Committed) -> Verdict:
    """Of this attempt's own: an older one may count alike in the same flight."""
    held, counter = intent.emit.held, intent.emit.counter
    for emit, verdict in zip(changes.emits, reply.emits, strict=False):
        if (emit.task_id, emit.fence, emit.counter) == (held.task_id, held.fence, counter):
            return verdict
    return Verdict.COMMITTED


def answer_known(entry: Entry, command: commands.Submit, known: Known) -> None:
    """The message came before: the same answer, unless the same key now carries another body."""
    answer = repeated(command, known)
    if isinstance(answer, commands.Receipt):
        entry.ticket.done(answer)
    else:
        entry.ticket.failed(answer)


def repeated(command: commands.Submit, known: Known) -> commands.Receipt | IdempotencyMismatch:
    if known.message_id != command.message_id and known.body_hash != command.body_hash:
        return IdempotencyMismatch()
    return commands.Receipt(
        message_id=known.message_id,
        turn_id=known.turn_id,
        seq=known.seq,
        steered=False,
        created_ms=known.ts_ms,
        duplicate=True,
    )
