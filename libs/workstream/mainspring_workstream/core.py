"""What a worker holds and owes: tasks, leases, credits, unanswered frames. `now` is monotonic.

The driver (usecases/work.py) carries frames and time in and actions out, of one stream after the
other; whatever was not answered on one is sent again, unchanged, on the next.
"""

from collections.abc import Iterable
from hashlib import sha256
from uuid import UUID

from mainspring_kernel.limits import FIRST_BEAT_S, LEASE_S
from mainspring_schema.frames import (
    Acknowledgement,
    Attached,
    Beat,
    Emit,
    FromWorker,
    Held,
    History,
    HistoryWanted,
    Result,
    Task,
    ToWorker,
    Verdict,
)
from mainspring_schema.tasks import EmitEvent
from mainspring_schema.workflows import StepRecord, Wait
from mainspring_workstream.actions import (
    Action,
    Begin,
    Cancel,
    Configured,
    EmitAnswered,
    Joined,
    Leave,
    ProgressAnswered,
    Recorded,
    Refused,
    Renewed,
    StartAnswered,
    Stop,
)
from mainspring_workstream.entries import Entry, Phase
from mainspring_workstream.identity import Identity
from mainspring_workstream.limits import LEASE_MARGIN_S
from mainspring_workstream.outgoing import Outgoing
from mainspring_workstream.overweight import sendable

_GRANTED = frozenset({Verdict.COMMITTED, Verdict.DUPLICATE})


class WorkerCore:
    def __init__(self, identity: Identity) -> None:
        self._identity = identity
        self._entries: dict[Held, Entry] = {}
        self._newest: dict[UUID, Held] = {}
        self._unnamed: dict[Held, float] = {}
        """What no attach or beat has named yet, with when it began, oldest first."""
        self._attach_number = 0
        self.attached = False
        self._attach_left = 0.0
        self._listed: tuple[Held, ...] = ()
        self._asked_at: float | None = None
        self._busy = 0
        self.lease_s = LEASE_S
        self._answers_beats = self._answers_drains = False
        self._wanted: dict[bytes, None] = {}
        self._out = Outgoing()

    # ── what is ──────────────────────────────────────────────────────────────────────────────

    @property
    def held(self) -> tuple[Held, ...]:
        """Everything this worker answers for: running, or with a result nobody answered yet."""
        return tuple(h for h, entry in self._entries.items() if entry.phase is not Phase.LOST)

    @property
    def running(self) -> tuple[Held, ...]:
        return tuple(h for h, entry in self._entries.items() if entry.phase is Phase.RUNNING)

    @property
    def busy(self) -> bool:
        """Whether anything is held, still ending, or waits to be handed back."""
        return bool(self._entries or self._out.returned)

    @property
    def unnamed(self) -> bool:
        """Whether anything is in hand of which the engine has not heard since it gave it."""
        return bool(self._unnamed)

    @property
    def is_over(self) -> bool:
        """Whether it drains, has nothing in hand, and nothing is on its way to it."""
        return self._out.draining and not self.busy and not self._answers_drains

    def leased(self, held: Held, now: float) -> bool:
        """Whether a new effect of this task may start: by our own clock the lease surely holds."""
        entry = self._entries.get(held)
        return entry is not None and entry.phase is Phase.RUNNING and now < entry.lease_until

    def deaf(self, now: float) -> bool:
        """Asked a whole lease ago and heard nothing at all since: the stream is dead."""
        return self._asked_at is not None and now - self._asked_at > self.lease_s

    # ── streams ──────────────────────────────────────────────────────────────────────────────

    def open_stream(self, now: float) -> FromWorker:
        """A new attach: its first frame. Nothing of the stream before is received any more.

        The frame's credits are all free slots, for a new stream starts with none. What is
        unanswered follows once the engine has said what of it is lost.
        """
        self._attach_number += 1
        self.attached = False
        self._attach_left = self._asked_at = now
        self._listed = self.held
        self._unnamed.clear()
        self._answers_drains = True  # or says that it does not, before it gives anything
        free = self._identity.slots - self._busy
        self._out.begin_stream(min(0, free))
        attach = self._identity.attach(self._attach_number, self._listed)
        credits_ = 0 if self._out.draining else max(0, free)
        return FromWorker(attach=attach, credits=credits_, draining=self._out.draining)

    def close_stream(self) -> None:
        """The stream broke; nothing is sent until the next one is attached."""
        self.attached = self._answers_drains = False
        self._asked_at = None

    def receive(self, frame: ToWorker, now: float, *, since: float | None = None) -> list[Action]:
        """What to do about a frame, which was sent `since` then at the earliest; None for now."""
        self._asked_at = None
        actions: list[Action] = []
        if frame.attached is not None:
            self._join(frame.attached, actions)
        for config in frame.configs:
            self._wanted.pop(config.hash, None)
            actions.append(Configured(config))
        for task in frame.tasks:
            self._accept(task, now, now if since is None else since, actions)
        if frame.drained:
            self.expect_nothing()
        self._answers(frame, actions)
        for held in frame.renewed:
            self._renew(held, actions)
        self._cancel(frame.cancelled, actions)
        self._lose(frame.lost, actions)
        if frame.leaving:
            actions.append(Leave())
        return actions

    def _join(self, attached: Attached, actions: list[Action]) -> None:
        self.attached = True
        self.lease_s = attached.lease_ms / 1000
        self._answers_beats = attached.answers_beats
        self._answers_drains = attached.answers_drains
        self._lose(attached.lost, actions)
        for held in self._listed:
            entry = self._entries.get(held)
            if entry is not None and entry.phase is not Phase.LOST:
                entry.asked_at = self._attach_left
                self._renew(held, actions)
        self._out.send_again(self._entries.items())
        self._out.configs_wanted = list(self._wanted)
        actions.append(Joined())

    def _accept(self, task: Task, now: float, since: float, actions: list[Action]) -> None:
        held = task.held
        known = self._newest.get(held.task_id)
        if known is not None and known.fence >= held.fence:
            self._out.credits += 1  # the engine spent a credit on what we have already
            return
        if known is not None:
            self._lose((known,), actions)
        if self._out.draining:
            self._out.returned.append(held)
            return
        leased_s = min(since, now - task.age_ms / 1000)
        self._entries[held] = Entry(leased_s + self.lease_s - LEASE_MARGIN_S)
        self._newest[held.task_id] = held
        self._unnamed[held] = now
        self._busy += 1
        actions.append(Begin(task))

    def _answers(self, frame: ToWorker, actions: list[Action]) -> None:
        for ack in frame.results:
            self._result_answer(ack, actions)
        for ack in frame.starts:
            entry = self._entries.get(ack.held)
            if entry is not None and entry.starting and entry.phase is Phase.RUNNING:
                entry.starting = False
                actions.append(StartAnswered(ack.held, ack.verdict in _GRANTED))
        for ack in frame.emits:
            self._emit_answer(ack, actions)
        for ack in frame.progress:
            self._report_answer(ack, actions)
        for history in frame.histories:
            self._recorded(history, actions)

    def _result_answer(self, ack: Acknowledgement, actions: list[Action]) -> None:
        entry = self._entries.get(ack.held)
        if entry is not None and entry.phase is Phase.FINISHED:
            self._forget(ack.held)
            if ack.verdict is Verdict.INVALID:
                actions.append(Refused(ack.held))

    def _recorded(self, history: History, actions: list[Action]) -> None:
        entry = self._entries.get(history.held)
        if entry is None or entry.phase is not Phase.RUNNING:
            return
        if history.after is not None:
            if entry.asked is None or entry.asked.after != history.after:
                return  # a question that was asked again on this stream has its answer already
            entry.asked = None
        actions.append(Recorded(history))

    def _emit_answer(self, ack: Acknowledgement, actions: list[Action]) -> None:
        entry = self._entries.get(ack.held)
        if entry is not None and entry.emits.pop(ack.counter, None) is not None:
            granted = ack.verdict in _GRANTED
            actions.append(EmitAnswered(ack.held, ack.counter, granted))

    def _report_answer(self, ack: Acknowledgement, actions: list[Action]) -> None:
        entry = self._entries.get(ack.held)
        step = None if entry is None else entry.reported(ack.counter)
        if step is not None:
            actions.append(ProgressAnswered(ack.held, step))

    def _renew(self, held: Held, actions: list[Action]) -> None:
        entry = self._entries.get(held)
        if entry is None or entry.asked_at is None:
            return
        entry.lease_until = max(entry.lease_until, entry.asked_at + self.lease_s - LEASE_MARGIN_S)
        entry.asked_at = None
        if entry.phase is Phase.RUNNING:
            actions.append(Renewed(held))

    def _cancel(self, cancelled: Iterable[Held], actions: list[Action]) -> None:
        for held in cancelled:
            entry = self._entries.get(held)
            if entry is not None and entry.phase is Phase.RUNNING:
                actions.append(Cancel(held))

    def _lose(self, lost: Iterable[Held], actions: list[Action]) -> None:
        for held in lost:
            entry = self._entries.get(held)
            if entry is None or entry.phase is Phase.LOST:
                continue
            if entry.phase is Phase.FINISHED:
                self._forget(held)
                continue
            entry.phase = Phase.LOST
            self._unnamed.pop(held, None)
            entry.emits.clear()
            entry.progress.clear()
            actions.append(Stop(held))

    def _forget(self, held: Held) -> None:
        del self._entries[held]
        self._unnamed.pop(held, None)
        if self._newest.get(held.task_id) == held:
            del self._newest[held.task_id]

    # ── what handlers say ────────────────────────────────────────────────────────────────────

    def start(self, held: Held) -> bool:
        """Asks to start the effect. False where the task is not ours any more."""
        entry = self._entries.get(held)
        if entry is None or entry.phase is not Phase.RUNNING:
            return False
        if not entry.starting:
            entry.starting = True
            self._out.starts.append(held)
        return True

    def emit(
        self,
        held: Held,
        events: tuple[EmitEvent, ...] = (),
        *,
        steps: tuple[StepRecord, ...] = (),
        waits: tuple[Wait, ...] = (),
    ) -> int | None:
        """Makes it durable. The counter of the answer, None if not ours. Raises Unsendable."""
        entry = self._entries.get(held)
        if entry is None or entry.phase is not Phase.RUNNING:
            return None
        entry.counter += 1
        said = Emit(held=held, counter=entry.counter, events=events, steps=steps, waits=waits)
        emit = entry.emits[entry.counter] = sendable(said)
        self._out.emits.append(emit)
        return entry.counter

    def report(self, held: Held, step: str, details: bytes) -> bool:
        """How far the handler of a step is; none: the step is over. False if it is not ours."""
        entry = self._entries.get(held)
        if entry is None or entry.phase is not Phase.RUNNING:
            return False
        self._out.progress[held, step] = entry.report(held, step, details)
        return True

    def ask_history(self, wanted: HistoryWanted) -> bool:
        """Asks for recorded steps. False where the task is not ours."""
        entry = self._entries.get(wanted.held)
        if entry is None or entry.phase is not Phase.RUNNING:
            return False
        entry.asked = wanted
        self._out.histories_wanted.append(wanted)
        return True

    def finish(self, held: Held, body: bytes) -> bool:
        """The handler ended with a result, kept until it is answered. False where it is void."""
        entry = self._entries.get(held)
        if entry is None or entry.phase is Phase.FINISHED:
            return False
        self._freed()
        if entry.phase is Phase.LOST:
            self._forget(held)
            return False
        entry.phase = Phase.FINISHED
        self._unnamed.pop(held, None)
        entry.starting = False
        entry.result = Result(held=held, hash=sha256(body).digest(), body=body)
        self._out.results.append(entry.result)
        return True

    def release(self, held: Held) -> None:
        """The handler of a lost task ended."""
        entry = self._entries.get(held)
        if entry is not None and entry.phase is not Phase.FINISHED:
            self._freed()
            self._forget(held)

    def hand_back(self, held: Held) -> None:
        """The handler ended without having begun an effect; another worker may take the task."""
        entry = self._entries.get(held)
        if entry is None or entry.phase is Phase.FINISHED:
            return
        if entry.phase is Phase.RUNNING:
            self._out.returned.append(held)
        self.release(held)

    def _freed(self) -> None:
        self._busy -= 1
        self._out.credits += 1

    def want_config(self, hash_: bytes) -> None:
        if hash_ not in self._wanted:
            self._wanted[hash_] = None
            self._out.configs_wanted.append(hash_)

    def drop_config(self, hash_: bytes) -> None:
        """Nobody waits for it any more; the next who does asks again."""
        self._wanted.pop(hash_, None)

    def beat(self, loop_lag_ms: int) -> None:
        """A beat rides the next frame."""
        self._out.beat = loop_lag_ms

    def first_beat(self, now: float) -> bool:
        """A beat names what came FIRST_BEAT_S ago and is still in hand; whether anything is."""
        due = [held for held, began in self._unnamed.items() if now - began >= FIRST_BEAT_S]
        for held in due:
            del self._unnamed[held]
        self._out.firsts.extend(due)
        return bool(due)

    def drain(self) -> None:
        """No new tasks from now on."""
        self._out.draining = True

    def expect_nothing(self) -> None:
        """Nothing more is on its way: the engine said so, or says nothing at all."""
        self._answers_drains = False

    # ── what goes out ────────────────────────────────────────────────────────────────────────

    def take(self, now: float) -> FromWorker | None:
        """The next frame with all that waits, within the bounds of a frame; None if nothing."""
        if not self.attached or not self._out.waiting:
            return None
        return self._out.take(self._beat(now))

    def _beat(self, now: float) -> Beat | None:
        if self._out.beat is None:
            running = frozenset(self.running)
            held = tuple(one for one in self._out.firsts if one in running)
            if not held:
                return None
        else:
            held = self.held
            self._unnamed.clear()
        for one in held:
            entry = self._entries[one]
            if entry.asked_at is None:
                entry.asked_at = now
        answered = held or (self._answers_beats and self._out.beat is not None)
        if answered and self._asked_at is None:
            self._asked_at = now
        return Beat(held=held, loop_lag_ms=self._out.beat or 0)
