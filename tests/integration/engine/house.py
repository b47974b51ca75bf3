"""An engine over a real database with everything else in memory, for one test."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from uuid import UUID

import msgspec

from mainspring_engine.adapters.postgres import (
    PostgresGates,
    PostgresStore,
    postgres_backstage,
)
from mainspring_engine.domain.changes import Changes
from mainspring_engine.main import Engine
from mainspring_engine.ports.outside import AttemptEnd, TurnEnd
from mainspring_engine.ports.store import Closed
from mainspring_kernel.clock import Clock, SystemClock
from mainspring_kernel.draws import SeededDraws
from mainspring_kernel.ids import DEFAULT_ORG_ID, Prefix, RandomIds, to_wire
from mainspring_messaging import Bus, MemoryBus
from mainspring_postgres import Database, Options
from mainspring_postgres.queries import Query
from mainspring_schema import commands
from mainspring_schema.agents import ModelChoice, RuntimeAgent, encode_runtime_agent
from mainspring_schema.chain import GENESIS, link
from mainspring_schema.events import Context, draft
from mainspring_schema.messages import Message, TextPart
from mainspring_testkit.scripts import run_script

AGENT = encode_runtime_agent(
    RuntimeAgent(
        harness_id="harness_" + "1" * 32,
        model=ModelChoice(
            model_id="model_" + "2" * 32,
            model="llmsim",
            provider_id="provider_" + "3" * 32,
            driver="llmsim",
            provider="llmsim",
        ),
        max_iterations=10,
    )
)
AGENT_HASH = b"a" * 32


_TYPES = Query(
    name="types",
    purpose="The session's events.",
    sql="select type from log.event where session_id = $1 order by seq",
)


class SilentWitness:
    def __init__(self) -> None:
        self.ended: list[AttemptEnd] = []
        self.again: list[AttemptEnd] = []
        self.turns_again: list[TurnEnd] = []

    def committed(self, changes: Changes, closed: tuple[Closed, ...], now_ms: int) -> None:
        del changes, closed, now_ms

    def attempt_ended(self, end: AttemptEnd) -> None:
        self.ended.append(end)

    def attempt_again(self, end: AttemptEnd) -> None:
        self.again.append(end)

    def turn_again(self, end: TurnEnd) -> None:
        self.turns_again.append(end)


class House:
    """Engines share the database and the bus; each has its own memory."""

    def __init__(self, database: Database, admin: Database, bus: Bus) -> None:
        self.database = database
        self.admin = admin
        self.bus = bus
        self.ids = RandomIds(SystemClock())
        self.witness = SilentWitness()

    def engine(self, store: PostgresStore | None = None, clock: Clock | None = None) -> Engine:
        clock = clock or SystemClock()
        return Engine(
            store=store or PostgresStore(self.database),
            gates=PostgresGates(self.database),
            backstage=postgres_backstage(self.database),
            bus=self.bus,
            witness=lambda _: self.witness,
            clock=clock,
            ids=RandomIds(clock),
            draws=SeededDraws(5),
            trace_ratio=0.0,
            epoch=1,
        )

    @asynccontextmanager
    async def working(
        self, store: PostgresStore | None = None, clock: Clock | None = None
    ) -> AsyncGenerator[Engine]:
        engine = self.engine(store, clock)
        work = asyncio.create_task(engine.work())
        try:
            yield engine
        finally:
            work.cancel()
            await asyncio.wait({work})

    async def session(self) -> UUID:
        """A head with its first event, as api opens it."""
        session_id = self.ids.uuid7()
        payload = draft("session.started", Context(), {"harness_id": "harness_1"}).payload
        now_ms = SystemClock().wall_ms()
        hash_ = link(
            GENESIS,
            session_id=session_id,
            seq=1,
            type_="session.started",
            ts_ms=now_ms,
            payload=payload,
        )
        await run_script(
            self.admin,
            f"select log.open_v2('{session_id}', '{DEFAULT_ORG_ID}', 'session.started', {now_ms},"
            f" decode('{payload.hex()}', 'hex'), decode('{hash_.hex()}', 'hex'), 5000)",
        )
        return session_id

    def submit(
        self, session_id: UUID, text: str, *, key: str | None = None, body_hash: bytes = b""
    ) -> commands.Submit:
        message_id = self.ids.uuid4()
        return commands.Submit(
            org_id=DEFAULT_ORG_ID,
            session_id=session_id,
            message_id=message_id,
            message=Message(
                id=to_wire(Prefix.MESSAGE, message_id),
                role="user",
                content=(TextPart(text=text),),
                created_at="",
            ),
            mode="steer",
            config_hash=AGENT_HASH,
            config=AGENT,
            idempotency_key=key,
            body_hash=body_hash,
        )

    async def say(self, engine: Engine, session_id: UUID, text: str) -> commands.Receipt:
        (answer,) = await engine.control.submit_many((self.submit(session_id, text),))
        assert isinstance(answer, commands.Receipt), answer
        return answer

    async def types(self, session_id: UUID) -> list[str]:
        rows = await self.admin.fetch(_TYPES, session_id)
        return [str(row["type"]) for row in rows]

    async def count(self, what: str) -> int:
        query = Query(name="count", purpose="How many rows.", sql=f"select count(*) from {what}")
        return await self.admin.fetchval_as(int, query)


@asynccontextmanager
async def open_house(engine_url: str, admin_url: str) -> AsyncGenerator[House]:
    options = Options(url=engine_url, application_name="engine", durability_required=False)
    admin = msgspec.structs.replace(options, url=admin_url, application_name="admin")
    database = await Database.open(options)
    admin_database = await Database.open(admin)
    bus = MemoryBus()
    try:
        yield House(database, admin_database, bus)
    finally:
        await bus.close()
        await database.close()
        await admin_database.close()
