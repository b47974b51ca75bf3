"""The workers attached to this process: what each holds, and how to reach it."""

from collections import OrderedDict
from uuid import UUID

from msgspec import Struct

from mainspring_engine.domain.belonging import belonging, of_attempt
from mainspring_engine.domain.limits import LOOK_OVER_REST_S
from mainspring_engine.domain.routes import Route
from mainspring_engine.domain.silence import Silence
from mainspring_engine.ports.outside import Outbox
from mainspring_engine.ports.store import Handed
from mainspring_kernel.limits import CONFIG_CACHE_ENTRIES_MAX, LEASE_S
from mainspring_schema.frames import Held, History
from mainspring_schema.workflows import StepRecord


class HeldTask(Struct, frozen=True, kw_only=True):
    """A task that was pushed to an attachment of this process, with where its result belongs.

    `route` and `since_s` (monotonic) are there where this process pushed it; a task that its worker
    brought along from another engine has none.
    """

    held: Held
    session_id: UUID
    workflow_id: UUID
    org_id: UUID
    route: Route | None = None
    since_s: float = 0.0
    failures: int = 0
    traceparent: str = ""
    """Of a plain task, which has no workflow that keeps it."""

    @property
    def told(self) -> dict[str, object]:
        """What a log line about it says beside its words."""
        return {
            **belonging(self.session_id, self.workflow_id),
            **of_attempt(self.held),
        }

    @property
    def circuit(self) -> str:
        """Whose circuit its answer counts for; "" for none."""
        return self.route.circuit if self.route is not None else ""


class Attachment:
    """One attached stream of one worker. `held` is what this process believes; tables decide."""

    def __init__(self, incarnation: UUID, attach_number: int, outbox: Outbox) -> None:
        self.incarnation = incarnation
        self.attach_number = attach_number
        self.outbox = outbox
        self.silence = Silence()
        self.leaving = False
        """The worker said that it takes no more."""
        self._looked_s = -LOOK_OVER_REST_S
        self.held: dict[UUID, HeldTask] = {}
        self._configs: OrderedDict[bytes, None] = OrderedDict()

    def given(self, held: Held) -> HeldTask | None:
        """The task, where the worker was given this very attempt."""
        task = self.held.get(held.task_id)
        return task if task is not None and task.held == held else None

    def has_config(self, config_hash: bytes) -> bool:
        """Whether the worker was sent it, of late: what it was not it asks for."""
        found = config_hash in self._configs
        if found:
            self._configs.move_to_end(config_hash)
        return found

    def sent_config(self, config_hash: bytes) -> None:
        """A worker keeps as many as are remembered here."""
        self._configs[config_hash] = None
        self._configs.move_to_end(config_hash)
        if len(self._configs) > CONFIG_CACHE_ENTRIES_MAX:
            self._configs.popitem(last=False)

    def doubted(self, named: tuple[Held, ...], now_s: float) -> bool:
        """Whether the tables should be asked what it holds: a beat does not name something old.

        The beat may name but what is new, so this is seldom.
        """
        if now_s - self._looked_s < LOOK_OVER_REST_S:
            return False
        if set(self.given_before(now_s - LEASE_S)).issubset(named):
            return False
        self._looked_s = now_s
        return True

    def given_before(self, moment_s: float) -> tuple[Held, ...]:
        """What it holds, as is believed here, since before then."""
        return tuple(task.held for task in self.held.values() if task.since_s < moment_s)

    def handed(self) -> tuple[Handed, ...]:
        """The tasks it holds that went into a frame of this stream."""
        unwritten = self.outbox.unwritten()
        return tuple(
            Handed(held=task.held, incarnation=self.incarnation, attach_number=self.attach_number)
            for task in self.held.values()
            if task.held not in unwritten
        )


class Attachments:
    """By incarnation, and by task for those who must be told."""

    def __init__(self) -> None:
        self._attachments: dict[UUID, Attachment] = {}
        self._holders: dict[UUID, Attachment] = {}

    def add(self, attachment: Attachment) -> None:
        self._attachments[attachment.incarnation] = attachment

    def get(self, incarnation: UUID) -> Attachment | None:
        return self._attachments.get(incarnation)

    def remove(self, attachment: Attachment) -> None:
        """Forgets the stream; a newer one of the same worker stays."""
        if self._attachments.get(attachment.incarnation) is attachment:
            del self._attachments[attachment.incarnation]
        for task_id in attachment.held:
            if self._holders.get(task_id) is attachment:
                del self._holders[task_id]

    def hold(self, attachment: Attachment, task: HeldTask) -> None:
        attachment.held[task.held.task_id] = task
        self._holders[task.held.task_id] = attachment

    def drop(self, attachment: Attachment, held: Held) -> None:
        """The worker brought its result, gave it back, or lost it."""
        task = attachment.held.get(held.task_id)
        if task is not None and task.held.fence == held.fence:
            del attachment.held[held.task_id]
            holder = self._holders.pop(held.task_id, None)
            if holder is not None and holder is not attachment:
                self._holders[held.task_id] = holder

    def cancelled(self, held: Held) -> None:
        """Asks the holder to stop, if it is attached here."""
        attachment = self._holder(held)
        if attachment is not None:
            attachment.outbox.cancelled(held)

    def news(self, workflow_id: UUID, task_id: UUID, steps: tuple[StepRecord, ...] = ()) -> bool:
        """Tells the worker that is at work on a workflow what was recorded of it.

        Without steps the worker asks for them. False where it is not attached here.
        """
        attachment = self._holders.get(task_id)
        if attachment is None or attachment.held[task_id].workflow_id != workflow_id:
            return False
        attachment.outbox.history(History(held=attachment.held[task_id].held, steps=steps))
        return True

    def ended(self, held: Held) -> None:
        """The task was closed without its holder's doing: tell it that it is lost."""
        attachment = self._holder(held)
        if attachment is not None:
            attachment.outbox.lost(held)
            self.drop(attachment, held)

    def all(self) -> tuple[Attachment, ...]:
        return tuple(self._attachments.values())

    def _holder(self, held: Held) -> Attachment | None:
        attachment = self._holders.get(held.task_id)
        if attachment is None or attachment.held[held.task_id].held != held:
            return None
        return attachment
