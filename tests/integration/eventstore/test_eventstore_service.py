"""The event store over gRPC, and as a process."""

import asyncio
import os
import signal
import sys
import threading
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator

import msgspec
import pytest

from mainspring_eventstore.adapters.grpc_eventstore import EventStoreServicer
from mainspring_eventstore.adapters.memory import MemoryLog, MemoryStore
from mainspring_eventstore.adapters.publisher import BusPublisher
from mainspring_eventstore.usecases.eventstore import EventStore
from mainspring_kernel.errors import ValidationFailed
from mainspring_kernel.ids import N_MAX
from mainspring_messaging import MemoryBus, Message
from mainspring_rpc import Channel, EventStoreClient, event_store_service, serve
from mainspring_rpc.generated.eventstore.v1 import eventstore_pb2 as pb
from mainspring_runtime.telemetry import OFF
from mainspring_schema.codec import pack
from mainspring_schema.events import StoredDelta, StoredEvent
from mainspring_schema.listing import EventFilter
from mainspring_schema.stream import LogBatch, decode_batch
from mainspring_schema.subjects import session_log
from mainspring_testkit.fixtures import Database as OwnDatabase
from mainspring_testkit.servers import NatsServer
from tests.contract.eventstore.event_log import CLOCK, IDS, MemoryWorld, Story

EVENTS = msgspec.msgpack.Decoder(list[StoredEvent])
DELTAS = msgspec.msgpack.Decoder(list[StoredDelta])


class Served(msgspec.Struct, frozen=True, kw_only=True):
    world: MemoryWorld
    bus: MemoryBus
    client: EventStoreClient

    async def story(self) -> Story:
        story = await Story(self.world).open()
        await story.start_turn("m1")
        return story


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    world = MemoryWorld()
    world.log = MemoryLog(lock=threading.RLock(), clock=CLOCK)
    world.store = MemoryStore(world.log)
    bus = MemoryBus()
    eventstore = await EventStore.open(world.store, BusPublisher(bus))
    server = await serve("127.0.0.1:0", [event_store_service(EventStoreServicer(eventstore, OFF))])
    channel = Channel(server.address)
    yield Served(world=world, bus=bus, client=EventStoreClient(channel))
    await channel.close()
    await server.stop()


def item(story: Story, offset: int, fragment: str) -> pb.DeltaAppend:
    delta = story.delta(offset, fragment)
    return pb.DeltaAppend(
        session_id=delta.session_id.bytes,
        turn_id=delta.turn_id.bytes,
        anchor=delta.anchor,
        attempt=delta.attempt,
        channel=delta.channel,
        offset=delta.offset,
        fragment=delta.fragment,
    )


async def test_appended_deltas_are_read_listed_and_published(served: Served) -> None:
    story = await served.story()
    told: asyncio.Queue[LogBatch] = asyncio.Queue()

    def hear(message: Message) -> None:
        told.put_nowait(decode_batch(message.data))

    await served.bus.subscribe(session_log(story.org_id, story.session_id), hear)
    items = [item(story, 0, "Hel"), item(story, 3, "lo"), item(story, 9, "?")]
    appended = await served.client.append_many(pb.AppendManyRequest(items=items))
    request = pb.ReadRequest(session_id=story.session_id.bytes, org_id=story.org_id.bytes)
    page = await served.client.read(request)
    batch = await told.get()

    committed, gap = pb.APPEND_VERDICT_COMMITTED, pb.APPEND_VERDICT_GAP
    assert list(appended.verdicts) == [committed, committed, gap]
    assert [event.seq for event in EVENTS.decode(page.events)] == [2, 3, 4]
    assert [delta.fragment for delta in DELTAS.decode(page.deltas)] == ["Hel", "lo"]
    assert (page.head.found, page.head.status, page.head.turn_first_seq) == (True, "active", 2)
    assert batch.deltas == tuple(DELTAS.decode(page.deltas))


async def test_unknown_sessions_are_not_found_anywhere(served: Served) -> None:
    story = await served.story()
    foreign = pb.ReadRequest(session_id=story.session_id.bytes, org_id=IDS.uuid7().bytes)

    page = await served.client.read(foreign)
    heads = await served.client.heads(pb.HeadsRequest(session_ids=[IDS.uuid7().bytes]))
    verified = await served.client.verify(pb.VerifyRequest(session_id=IDS.uuid7().bytes))

    assert not page.head.found
    assert EVENTS.decode(page.events) == []
    assert [head.found for head in heads.heads] == [False]
    assert not verified.intact


async def test_list_verify_heads_and_upkeep_answer(served: Served) -> None:
    story = await served.story()
    ids = {"session_id": story.session_id.bytes, "org_id": story.org_id.bytes}

    wanted = pack(EventFilter(types=("turn.started",)))
    listed = await served.client.list(pb.ListRequest(filter=wanted, **ids))
    verified = await served.client.verify(pb.VerifyRequest(session_id=ids["session_id"]))
    heads = await served.client.heads(pb.HeadsRequest(session_ids=[ids["session_id"]]))
    kept = await served.client.upkeep(pb.UpkeepRequest())

    assert [event.type for event in EVENTS.decode(listed.events)] == ["turn.started"]
    assert listed.total == 1
    assert (verified.intact, verified.events, verified.head_hash) == (True, 4, story.hash)
    assert (heads.heads[0].seq, heads.epoch) == (4, 1)
    assert kept.deltas_dropped == 0


async def test_a_cursor_beyond_everything_reads_nothing(served: Served) -> None:
    story = await served.story()
    far = pb.Position(seq=(1 << 64) - 1, n=N_MAX + 1)

    page = await served.client.read(
        pb.ReadRequest(session_id=story.session_id.bytes, org_id=story.org_id.bytes, after=far)
    )

    assert EVENTS.decode(page.events) == []
    assert page.head.found


@pytest.mark.parametrize("raw", [b"", b"short", b"x" * 17])
async def test_a_broken_id_is_refused(served: Served, raw: bytes) -> None:
    with pytest.raises(ValidationFailed):
        await served.client.read(pb.ReadRequest(session_id=raw, org_id=raw))


async def test_a_broken_filter_is_refused(served: Served) -> None:
    story = await served.story()
    request = pb.ListRequest(
        session_id=story.session_id.bytes, org_id=story.org_id.bytes, filter=b"\xc1"
    )

    with pytest.raises(ValidationFailed):
        await served.client.list(request)


async def started(environment: dict[str, str]) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "mainspring_eventstore",
        env={"PATH": os.environ["PATH"], **environment},
        stderr=PIPE,
    )


async def until_ready(process: asyncio.subprocess.Process) -> None:
    assert process.stderr is not None
    while line := await process.stderr.readline():
        if b"is ready" in line:
            return
    pytest.fail("the process ended before it was ready")


async def test_the_process_makes_missing_partitions_and_drains_on_sigterm(
    database: OwnDatabase, nats: NatsServer
) -> None:
    there = "select inhrelid::regclass from pg_inherits where inhparent = 'log.event'::regclass"
    newest = max(database.sql(there).split())
    database.sql(f"drop table {newest}")
    process = await started(
        {
            "MAINSPRING_DATABASE_URL": database.url("log_run"),
            "MAINSPRING_NATS_URL": nats.url,
            "MAINSPRING_EVENTSTORE_BIND": "127.0.0.1:0",
        }
    )

    try:
        await until_ready(process)
    finally:
        process.send_signal(signal.SIGTERM)
        await process.communicate()

    assert process.returncode == 0
    # A week that has begun since has another one.
    assert newest in database.sql(there).split()


async def test_bad_settings_end_with_status_2_and_a_line_each() -> None:
    process = await started({"MAINSPRING_EVENTSTORE_BIND": "nonsense"})

    _, said = await process.communicate()

    assert process.returncode == 2
    lines = said.decode().splitlines()
    assert [line.split(": ")[1] for line in lines] == [
        "MAINSPRING_DATABASE_URL",
        "MAINSPRING_NATS_URL",
        "MAINSPRING_EVENTSTORE_BIND",
    ]
