"""What this machine does at best with the means that every turn and task rests on.

Each by itself, with nothing around it: commits and claims of Postgres, a message on the bus, a call
and a frame over gRPC, by grpcio and by our own transport. What services reach is to be read beside.
"""

import asyncio
import os
import signal
import sys
import time
from asyncio.subprocess import PIPE
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final

import asyncpg
import grpc.aio
import nats
from nats.aio.msg import Msg

from mainspring_kernel.limits import RPC_TIMEOUT_S
from mainspring_local.program import tie_to_parent
from mainspring_rpc.http2.dialler import Dialler
from mainspring_rpc.http2.headers import request
from tests.load.bench import echo
from tests.load.bench.histograms import Histogram
from tests.load.bench.orders import Done, Limits

ROWS: Final = 20_000
"""To be claimed by each pass."""
CONNECTIONS: Final = 16
BATCHES: Final = (1, 10, 100)
CALLERS: Final = 32
"""At once, where a rate is asked for."""
SAMPLES: Final = 500
REST_S: Final = 0.001
HEARD_S: Final = 0.2
"""After it a first message was lost: a bus promises no more than most of them."""
BUS_S_MAX: Final = 30.0
"""Of all messages: one that is lost later is a failure, and not a wait without an end."""
BODY: Final = b"x" * 200
_TABLES: Final = """
create schema bench_limits;
create table bench_limits.note (id bigint generated always as identity primary key, body bytea);
create table bench_limits.task (
    id bigint generated always as identity primary key, taken boolean not null default false
) with (fillfactor = 80);
create index on bench_limits.task (id) where not taken;
"""
_INSERT: Final = "insert into bench_limits.note (body) values ($1)"
_FILL: Final = "insert into bench_limits.task select from generate_series(1, $1::int)"
_CLAIM: Final = """
with ready as materialized (
    select id from bench_limits.task where not taken order by id limit $1
    for no key update skip locked
)
update bench_limits.task as t set taken = true from ready as r where t.id = r.id
returning t.id
"""
Work = Callable[[], Awaitable[object]]


async def probe(order: Limits) -> Done:
    """All figures, by their keys."""
    figures = await _postgres(order) | await _bus(order)
    figures |= await _grpcio() | await _ours()
    return Done(figures=figures)


async def _rate(work: Work, callers: int, seconds: float) -> float:
    """Ends per second of so many closed loops."""
    count, until = 0, time.perf_counter() + seconds

    async def loop() -> None:
        nonlocal count
        while time.perf_counter() < until:
            await work()
            count += 1

    await asyncio.gather(*(loop() for _ in range(callers)))
    return count / seconds


async def _alone(work: Work) -> float:
    """The median of one at a time with a rest between, in milliseconds."""
    found = Histogram()
    for _ in range(SAMPLES):
        began = time.perf_counter()
        await work()
        found.record((time.perf_counter() - began) * 1000)
        await asyncio.sleep(REST_S)
    return found.percentile(0.5)


async def _postgres(order: Limits) -> dict[str, float]:
    pool = await asyncpg.create_pool(
        order.postgres_url, min_size=CONNECTIONS, max_size=CONNECTIONS,
        server_settings={"jit": "off"},
    )  # fmt: skip
    async with pool:
        await pool.execute(_TABLES)
        try:

            async def insert() -> None:
                await pool.execute(_INSERT, BODY)

            found = {
                "limit_commit_p50_ms": await _alone(insert),
                "limit_inserts_per_s_c1": await _rate(insert, 1, order.seconds),
                f"limit_inserts_per_s_c{CONNECTIONS}": await _rate(
                    insert, CONNECTIONS, order.seconds
                ),
            }
            for batch in BATCHES:
                found[f"limit_claims_per_s_b{batch}"] = await _claims(pool, batch, order.seconds)
        finally:
            await pool.execute("drop schema bench_limits cascade")
    return found


async def _claims(pool: "asyncpg.Pool[asyncpg.Record]", batch: int, seconds: float) -> float:
    """Rows per second on one connection."""
    claimed, spent_s = 0, 0.0
    async with pool.acquire() as connection:
        while spent_s < seconds:
            await connection.execute("truncate bench_limits.task")
            await connection.execute(_FILL, ROWS)
            began, rows = time.perf_counter(), ROWS
            while rows and spent_s + time.perf_counter() - began < seconds:
                rows = len(await connection.fetch(_CLAIM, batch))
                claimed += rows
            spent_s += time.perf_counter() - began
    return claimed / spent_s


async def _bus(order: Limits) -> dict[str, float]:
    """One way, between two connections."""
    hears, says = await nats.connect(order.nats_url), await nats.connect(order.nats_url)
    try:
        heard: asyncio.Queue[Msg] = asyncio.Queue()

        async def hear(message: Msg) -> None:
            heard.put_nowait(message)

        await hears.subscribe("bench.limits", cb=hear)
        await hears.flush()

        async def message() -> None:
            await says.publish("bench.limits", BODY)
            await heard.get()

        async with asyncio.timeout(BUS_S_MAX):
            while heard.empty():
                await says.publish("bench.limits", BODY)
                await asyncio.sleep(HEARD_S)
            while not heard.empty():
                heard.get_nowait()
            return {"limit_bus_p50_ms": await _alone(message)}
    finally:
        await hears.close()
        await says.close()


async def _grpcio() -> dict[str, float]:
    async with _echo("grpcio") as address, grpc.aio.insecure_channel(address) as channel:
        call: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(echo.UNARY)
        open_frames: grpc.aio.StreamStreamMultiCallable[bytes, bytes] = channel.stream_stream(
            echo.STREAM
        )
        frames = open_frames()

        async def ask() -> None:
            await call(BODY)

        async def frame() -> None:
            await frames.write(BODY)
            await frames.read()

        found = await _calls_and_frames("limit", ask, frame)
        frames.cancel()
    return found


async def _ours() -> dict[str, float]:
    async with _echo(echo.OURS) as address:
        dialler = Dialler(address)
        connection = await dialler.connection()
        asks, frames = request(echo.UNARY, address), connection.begin(request(echo.STREAM, address))

        async def ask() -> None:
            await connection.unary(asks, BODY, RPC_TIMEOUT_S)

        async def frame() -> None:
            await frames.send(BODY)
            await frames.receive()

        found = await _calls_and_frames("rpc", ask, frame)
        await dialler.close()
    return found


async def _calls_and_frames(name: str, ask: Work, frame: Work) -> dict[str, float]:
    await ask()
    await frame()
    return {
        f"{name}_call_p50_ms": await _alone(ask),
        f"{name}_frame_p50_ms": await _alone(frame),
        f"{name}_calls_per_s_c{CALLERS}": await _rate(ask, CALLERS, 1.0),
        f"{name}_frames_per_s_c1": await _rate(frame, 1, 1.0),
    }


@asynccontextmanager
async def _echo(kind: str) -> AsyncGenerator[str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.load.bench.echo", kind, stdin=PIPE, stdout=PIPE,
        preexec_fn=tie_to_parent(os.getpid(), signal.SIGKILL),
    )  # fmt: skip
    try:
        assert process.stdout is not None
        yield f"127.0.0.1:{int(await process.stdout.readline())}"
    finally:
        process.kill()
        await process.wait()
