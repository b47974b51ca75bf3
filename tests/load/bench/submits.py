"""Tasks or turns submitted to the engine itself, by a schedule that waits for no answer."""

import asyncio
import random
from collections.abc import Callable, Sequence
from typing import Final
from uuid import UUID

import msgspec

from mainspring_kernel.clock import SystemClock
from mainspring_kernel.errors import MainspringError
from mainspring_kernel.ids import DEFAULT_ORG_ID, Prefix, RandomIds, from_wire, to_wire
from mainspring_rpc.channel import Channel
from mainspring_rpc.clients import ControlClient
from mainspring_rpc.generated.control.v1 import control_pb2 as control
from mainspring_schema.codec import pack
from mainspring_schema.commands import Receipt, Submit
from mainspring_schema.messages import Message, TextPart
from mainspring_schema.plain import SubmitTask, SubmitTasks, TaskReceipts
from tests.load.bench import arrivals
from tests.load.bench.histograms import Histogram
from tests.load.bench.orders import Arrive, Asked, Done, Flow
from tests.load.bench.sessions import TEXT, Session
from tests.load.bench.staff import PLAIN_TYPE
from tests.load.bench.wire import WireProblem

CREATED_AT: Final = "2026-01-01T00:00:00.000Z"
SEED: Final = 20_261_125
"""Arrivals by chance are the same in every bench, so that two of them compare."""
Tell = Callable[[int], None]
_RECEIPTS: Final[msgspec.msgpack.Decoder[TaskReceipts]] = msgspec.msgpack.Decoder(TaskReceipts)
_RECEIPT: Final[msgspec.msgpack.Decoder[Receipt]] = msgspec.msgpack.Decoder(Receipt)


async def arrive(order: Arrive, sessions: Sequence[Session], tell: Tell) -> Done:
    """All flows side by side. Raises WireProblem where a submit is refused."""
    channel = Channel(order.engine)
    try:
        book = _Book(tell)
        submits = Submits(ControlClient(channel))
        async with asyncio.TaskGroup() as group:
            for number, flow in enumerate(order.flows):
                mine = [one for one in sessions if one.org_id == flow.org_id]
                group.create_task(_flow(order, flow, number, mine, submits, book))
    finally:
        await channel.close()
    return Done(
        asked=len(book.submitted) + book.steered,
        submitted=book.submitted,
        steered=book.steered,
        lag=book.lag.encode(),
    )


class _Book:
    def __init__(self, tell: Tell) -> None:
        self.submitted: list[Asked] = []
        self.steered = 0
        self.lag = Histogram()
        self.tell = tell


async def _flow(
    order: Arrive, flow: Flow, number: int, mine: Sequence[Session], submits: "Submits", book: _Book
) -> None:
    draws = random.Random(SEED + number)
    schedule = (
        arrivals.poisson(flow.per_s, order.seconds, draws.random)
        if order.by_chance
        else arrivals.constant(flow.per_s, order.seconds)
    )
    config_hash = bytes.fromhex(flow.config_hash)

    async def task(from_s: float) -> None:
        task_id = await submits.task(org_of(flow.org_id))
        book.submitted.append(Asked(task_id.hex, flow.org_id, from_s))
        book.tell(len(book.submitted))

    async def turn(session: Session, from_s: float) -> None:
        receipt = await submits.turn(session.id, config_hash, org_of(session.org_id))
        if receipt.steered:
            book.steered += 1
        else:
            book.submitted.append(Asked(receipt.turn_id.hex, flow.org_id, from_s))
        book.tell(len(book.submitted))

    async with asyncio.TaskGroup() as group:
        count = 0
        async for from_s in arrivals.due(schedule, order.began_s, book.lag):
            due = task(from_s) if flow.kind == "task" else turn(mine[count % len(mine)], from_s)
            group.create_task(due)
            count += 1


def org_of(org_id: str) -> UUID:
    """The default one for an empty word."""
    return from_wire(Prefix.ORG, org_id) if org_id else DEFAULT_ORG_ID


class Submits:
    """One call for each, as a caller of its own would make it."""

    def __init__(self, client: ControlClient) -> None:
        self._client = client
        self._ids = RandomIds(SystemClock())

    async def task(self, org_id: UUID) -> UUID:
        """A plain task's id. Raises WireProblem where it is refused."""
        task = SubmitTask(org_id=org_id, task_id=self._ids.uuid7(), type=PLAIN_TYPE)
        request = control.SubmitTasksRequest(command=pack(SubmitTasks(tasks=(task,))))
        try:
            answer = await self._client.submit_tasks(request)
        except MainspringError as error:
            msg = f"a submit failed: {error.detail}"
            raise WireProblem(msg) from error
        (receipt,) = _RECEIPTS.decode(answer.receipts).receipts
        if receipt.refusal is not None:
            msg = f"a submit was refused: {receipt.refusal.code}"
            raise WireProblem(msg)
        return receipt.task_id

    async def turn(
        self, session_id: str, config_hash: bytes, org_id: UUID = DEFAULT_ORG_ID
    ) -> Receipt:
        """Raises WireProblem where it is refused."""
        message_id = self._ids.uuid4()
        said = Message(
            id=to_wire(Prefix.MESSAGE, message_id),
            role="user",
            content=(TextPart(text=TEXT),),
            created_at=CREATED_AT,
        )
        command = Submit(
            org_id=org_id,
            session_id=from_wire(Prefix.SESSION, session_id),
            message_id=message_id,
            message=said,
            mode="steer",
            config_hash=config_hash,
        )
        request = control.SubmitManyRequest(items=[pack(command)])
        try:
            (answer,) = (await self._client.submit_many(request)).answers
        except MainspringError as error:
            msg = f"a submit failed: {error.detail}"
            raise WireProblem(msg) from error
        if answer.HasField("refusal"):
            msg = f"a submit was refused: {answer.refusal.code}"
            raise WireProblem(msg)
        return _RECEIPT.decode(answer.receipt)
