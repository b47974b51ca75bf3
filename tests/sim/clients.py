"""Who uses the stack: people who post and post again, and readers who come back with a cursor."""
# What stands for every port has no type.
# pyright: reportExplicitAny=false, reportAny=false

import asyncio
import re
from typing import Any, Final
from uuid import UUID

from msgspec import Struct

from mainspring_api.adapters.vault import EnvelopeVault
from mainspring_api.domain.cursor import Resume
from mainspring_api.domain.limits import SSE_HEARTBEAT_S
from mainspring_api.domain.resources import Tier
from mainspring_api.usecases import agents, sessions
from mainspring_api.usecases.messages import MessageDraft, post
from mainspring_api.usecases.session_ends import Ending
from mainspring_api.usecases.session_tasks import cancel_below
from mainspring_api.usecases.stream.session_stream import Opening, open_stream
from mainspring_engine.domain.rows import Outcome
from mainspring_harness.errors import ToolsetUnknown
from mainspring_kernel.control_errors import SessionBusy
from mainspring_kernel.errors import MainspringError, NotFound
from mainspring_kernel.ids import (
    DEFAULT_ORG_ID,
    AgentId,
    MessageId,
    Position,
    Prefix,
    SeededIds,
    SessionId,
    from_wire,
    parse_position_id,
    to_wire,
)
from mainspring_schema.agents import CapabilityRef
from mainspring_schema.commands import Cancel
from mainspring_schema.delivery import DeliveryMode
from mainspring_schema.messages import TextPart
from tests.sim import forkers, minders, operators, overseers, planners
from tests.sim.forkers import Forked
from tests.sim.keys import LIMITS
from tests.sim.loop import Host, here
from tests.sim.minders import Minders
from tests.sim.orders import Orders, come
from tests.sim.planners import Planned
from tests.sim.scripts import script
from tests.sim.world import Api, World

_ID: Final = re.compile(rb"^id: event_([0-9a-f]{32})$", re.MULTILINE)
_AGAIN_S: Final = 0.5
_MODES: Final[tuple[DeliveryMode, ...]] = ("queue", "collect", "interrupt", "rollback", "reject")
_FOR_EVER_S: Final = 1e6
_SILENCE_S: Final = 2 * SSE_HEARTBEAT_S + 5.0
"""A client that hears no heartbeat for so long comes again."""
_ARRIVE: Final = 0.88
"""Nearly until the healing: some turns are then still under way."""
TRIES_MAX: Final = 400
"""A person gives up after so many tries; none should."""
_GIVES_UP: Final = 0.5
"""How often somebody who deletes a session, and is not answered, lets it be."""
READ_ERRORS_S: Final = 0.3


class Said(Struct, kw_only=True):
    """A message that a person wants in, and what they were told of it."""

    session_id: SessionId
    key: str
    mode: DeliveryMode = "steer"
    message_id: MessageId | None = None
    turn_id: Any = None
    refused: bool = False

    @property
    def settled(self) -> bool:
        """Whether they were told."""
        return self.message_id is not None or self.refused


class Reader(Struct, kw_only=True):
    """What one client saw of a session, over all its connections."""

    session_id: SessionId
    seen: list[Position]
    joined: int = 0


class People(Struct, kw_only=True):
    orders: Orders
    said: list[Said]
    readers: list[Reader]
    minders: Minders
    plans: list[Planned]
    forks: list[Forked]
    withdrawn: set[UUID]
    """Messages of which somebody was told that no turn takes them."""
    closed: set[SessionId]
    """Sessions that somebody tried to delete."""
    deleted: set[SessionId]
    """Those of which they were told that they are gone."""
    gave_up: list[str]
    wrong: list[str]
    """Answers that were not true."""

    @classmethod
    def nobody(cls) -> "People":
        """Yet."""
        orders = Orders(placed=[], handed=[], gave_up=[], wrong=[])
        minders = Minders(told=[], budgets=[], sessions=set())
        return cls(
            orders=orders,
            minders=minders,
            plans=[],
            forks=[],
            said=[],
            readers=[],
            closed=set(),
            deleted=set(),
            withdrawn=set(),
            gave_up=[],
            wrong=[],
        )

    def read(self) -> list[SessionId]:
        """Sessions that somebody reads."""
        return [reader.session_id for reader in self.readers]


async def arrive(world: World, people: People) -> None:
    """Makes an agent and its sessions, then lets everybody in."""
    ids = SeededIds(world.tables.clock, world.chance.work.getrandbits(64))
    now_ms = world.tables.clock.wall_ms()
    refs = tuple(CapabilityRef(ref=name) for name in world.refs if name)
    refs += minders.refs() if world.weather.asks else ()
    tier = Tier(capabilities=refs, max_iterations=20)
    async with world.tables.api.transaction(DEFAULT_ORG_ID) as tx:
        made = await agents.upsert(
            tx, agents.AgentDraft(name="actor", tier=tier), given_id=None,
            new_id=AgentId(ids.uuid7()), now_ms=now_ms,
        )  # fmt: skip
    agent = to_wire(Prefix.AGENT, made.agent.id)
    await _limit(world)
    come(world, people.orders)
    operators.come(world)

    async def enter(session_id: SessionId) -> None:
        await _enter(world, people, session_id, ids)

    for _ in range(world.weather.sessions):
        session_id = SessionId(ids.uuid7())
        async with world.tables.api.transaction(DEFAULT_ORG_ID) as tx:
            draft = sessions.SessionDraft(agent=agent, tier=Tier())
            await sessions.create(tx, draft, id_=session_id, ids=ids, now_ms=now_ms)
        await enter(session_id)
    planners.come(world, people.plans, agent, ids, lambda: world.planning.choice(people.read()))
    forkers.come(world, people.forks, people.read, enter, people.closed, ids)


async def _enter(world: World, people: People, session_id: SessionId, ids: SeededIds) -> None:
    """Lets people into a session: who minds it, reads it, and speaks there."""
    host = here()
    assert host is not None
    await minders.come(world, people.minders, session_id, ids)
    people.readers.append(reader := Reader(session_id=session_id, seen=[]))
    host.spawn(_read(world, host, reader), "reader")
    if world.weather.edits:
        host.spawn(operators.edit(world, people.withdrawn, session_id), "person")
    if world.weather.spawns and not world.weather.operated:  # a requeue takes up what is over
        host.spawn(overseers.oversee(world, people.wrong, session_id), "person")
    if world.minding.random() < world.weather.deletes:
        host.spawn(_delete(world, people, session_id), "person")
    for number in range(world.weather.messages):
        said = Said(session_id=session_id, key=f"{session_id.hex}-{number}", mode=_mode(world))
        people.said.append(said)
        host.spawn(_speak(world, people, said, ids), "person")


async def _limit(world: World) -> None:
    weather, tables = world.weather, world.tables
    tables.engine.clerk.hurried = not weather.statement_stalls and not weather.freeze_every_s
    for limit in LIMITS if weather.limited else ():
        await tables.gates.set_limit(limit)


def _mode(world: World) -> DeliveryMode:
    draws = world.orders
    return draws.choice(_MODES) if draws.random() < world.weather.other_modes else "steer"


# ── writing ─────────────────────────────────────────────────────────────────────────────────────


async def _speak(world: World, people: People, said: Said, ids: SeededIds) -> None:
    work = world.chance.work
    text = script(world)
    cancels = work.random() < world.weather.cancels
    await asyncio.sleep(_ARRIVE * world.weather.heal_s * work.random())
    for _ in range(TRIES_MAX):
        try:
            await _post(world, said, text, ids)
            break
        except SessionBusy:
            said.refused = said.mode == "reject"
            if not said.refused:
                people.wrong.append(f"{said.key} was refused, a message to {said.mode}")
            return
        except MainspringError as error:
            if _is_final(said, people, error):
                return
        await asyncio.sleep(_AGAIN_S * (1 + work.random()))
    else:
        people.gave_up.append(f"{said.key}: nobody answered")
    if cancels:
        await asyncio.sleep(2 * work.random())
        await _cancel(world, people, said)


def _is_final(said: Said, people: People, error: MainspringError) -> bool:
    """Whether there is no use in asking again."""
    said.refused = said.session_id in people.closed and isinstance(error, NotFound)
    # Whoever has the tools of the agent may yet come.
    fault = error.status < 500 and not isinstance(error, ToolsetUnknown)
    if fault and not said.refused:
        people.gave_up.append(f"{said.key}: {error.code} {error.detail}")
    return said.refused or fault


async def _post(world: World, said: Said, text: str, ids: SeededIds) -> None:
    api = world.any_of("api")
    draft = MessageDraft(
        content=(TextPart(text=text),), idempotency_key=said.key,
        body_hash=said.key.encode()[:32], mode=said.mode,
    )  # fmt: skip
    posted = await world.network.call(
        api.host,
        lambda: post(
            api.program.path, DEFAULT_ORG_ID, said.session_id, draft,
            message_id=MessageId(ids.uuid4()), now_ms=world.tables.clock.wall_ms(),
        ),
    )  # fmt: skip
    said.message_id = MessageId(from_wire(Prefix.MESSAGE, posted.message.id))
    said.turn_id = posted.receipt.turn_id


async def _cancel(world: World, people: People, said: Said) -> None:
    engine = world.any_of("engine")
    command = Cancel(org_id=DEFAULT_ORG_ID, session_id=said.session_id)
    before = _running(world, said.session_id)
    try:
        answer = await world.network.call(
            engine.host, lambda: engine.program.control.cancel(command)
        )
    except MainspringError:
        return  # whoever cancels may be late, or not be heard: the turn ends either way
    if answer.status == "no_op" and before & _running(world, said.session_id):
        people.wrong.append(f"a cancel in {said.session_id.hex} was answered no_op beside a turn")


async def _delete(world: World, people: People, session_id: SessionId) -> None:
    await asyncio.sleep(_ARRIVE * world.weather.heal_s * world.minding.random())
    people.closed.add(session_id)

    async def delete(api: Api) -> None:
        door, control = api.door, api.path.control
        ending = Ending(
            configurations=api.path.configurations, registry=door.registry,
            vault=EnvelopeVault([]), ids=door.ids,
        )  # fmt: skip
        now_ms = door.clock.wall_ms()
        await cancel_below(door.store, control, DEFAULT_ORG_ID, session_id, now_ms=now_ms)
        await sessions.delete(
            door.store, control, ending, DEFAULT_ORG_ID, session_id, now_ms=now_ms
        )

    while True:
        api = world.any_of("api")
        try:
            await world.network.call(api.host, lambda: delete(api.program))  # noqa: B023 - awaited at once
        except NotFound:
            break  # it was heard the first time
        except MainspringError:
            if world.minding.random() < _GIVES_UP:
                return
            await asyncio.sleep(_AGAIN_S * (1 + world.minding.random()))
        else:
            break
    people.deleted.add(session_id)


def _running(world: World, session_id: SessionId) -> set[Any]:
    rows = world.tables.engine.tables.workflows.values()
    return {
        row.id for row in rows
        if row.session_id == session_id and row.outcome is Outcome.RUNNING
    }  # fmt: skip


# ── reading ─────────────────────────────────────────────────────────────────────────────────────


async def _read(world: World, host: Host, reader: Reader) -> None:
    """Comes again for ever, to any api, with the cursor it has."""
    while True:
        api = world.any_of("api")
        if api.host.up:
            await _one_connection(world, host, reader, api.host, api.program)
        await asyncio.sleep(READ_ERRORS_S * (1 + world.chance.work.random()))


class _Line(Struct):
    """In order; a connection that lost something delivers nothing more."""

    at: float = 0.0
    dead: bool = False


async def _one_connection(world: World, host: Host, reader: Reader, server: Host, api: Api) -> None:
    arriving: asyncio.Queue[bytes | None] = asyncio.Queue()
    network = world.network
    reader.joined += 1
    line = _Line()

    def deliver(chunk: bytes | None) -> None:
        line.dead = line.dead or not network.passes(host, server)
        if not line.dead:
            line.at = max(line.at, network.loop.time() + network.delay())
            network.loop.call_at(line.at, arriving.put_nowait, chunk, context=host.context())

    server.crashed.append(lambda: deliver(None))
    resume = Resume(position=reader.seen[-1]) if reader.seen else None
    opening = Opening(session_id=reader.session_id, org_id=DEFAULT_ORG_ID, resume=resume)
    serving = server.spawn(_serve(api, opening, deliver), "sse")
    stays_s = _FOR_EVER_S if world.weather.readers_stay else 5 + 20 * world.chance.work.random()
    ends_s = network.loop.time() + stays_s
    while True:
        try:
            async with asyncio.timeout_at(min(ends_s, network.loop.time() + _SILENCE_S)):
                chunk = await arriving.get()
        except TimeoutError:
            break
        if chunk is None:
            break
        reader.seen.extend(positions(chunk))
    network.loop.call_soon(serving.cancel, context=server.context())


async def _serve(api: Api, opening: Opening, deliver: Any) -> None:
    try:
        stream = await open_stream(api.hub, opening)
    except MainspringError:
        deliver(None)
        return
    try:
        async for chunk in stream.chunks():
            deliver(chunk)
        deliver(None)
    finally:
        await stream.close()


def positions(chunk: bytes) -> list[Position]:
    """Of the events in these bytes, in their order."""
    found = (from_wire(Prefix.EVENT, f"event_{id_.decode()}") for id_ in _ID.findall(chunk))
    return [parse_position_id(id_).position for id_ in found]
