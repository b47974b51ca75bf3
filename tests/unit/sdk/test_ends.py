"""How one client waits for the ends of many things."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import cast

import httpx
import pytest

from mainspring import Client, WorkflowFailed, workflow
from mainspring.ends import IDS_PER_CALL_MAX, Ends
from mainspring.sending import Sender, http_of
from mainspring.turns import POLLS_MAX, STALLED_S, Turns

ID = "workflow_{:032x}"


class Api:
    """Holds what waits open, until a test ends something."""

    def __init__(self) -> None:
        self.ended: dict[str, bool] = {}
        """Whether it failed."""
        self.moved = asyncio.Condition()
        self.polls: list[str] = []
        """Long polls that are held open."""
        self.asked: list[list[str]] = []
        """Of calls that ask for many."""
        self.started = 0
        self.is_old = False

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        waits = float(request.url.params.get("wait_s", "0")) > 0
        if request.url.path.endswith("/ended"):
            if self.is_old:
                return httpx.Response(404, json={"code": "not_found", "detail": "no such route"})
            ids = cast("list[str]", json.loads(request.content)["ids"])
            self.asked.append(ids)
            await self._until(lambda: bool(self.ended.keys() & ids))
            return httpx.Response(200, json={"data": [id_ for id_ in ids if id_ in self.ended]})
        if request.method == "POST":
            id_ = ID.format(self.started)
            self.started += 1
        else:
            id_ = request.url.path.split("/")[-2]
        if waits:
            self.polls.append(id_)
            await self._until(lambda: id_ in self.ended)
            self.polls.remove(id_)
        return httpx.Response(200, json=self._shown(id_))

    def _shown(self, id_: str) -> dict[str, object]:
        failed = self.ended.get(id_)
        status = "running" if failed is None else "failed" if failed else "completed"
        shown: dict[str, object] = {
            "id": id_,
            "type": "it",
            "key": "k",
            "queue": "default",
            "status": status,
            "created_at": "",
            "result": 7,
        }
        return shown | ({"error": {"code": "no_stock"}} if failed else {})

    async def _until(self, done: Callable[[], bool]) -> None:
        async with self.moved:
            self.moved.notify_all()
            await self.moved.wait_for(done)

    async def end(self, *ids: str, failed: bool = False) -> None:
        async with self.moved:
            self.ended.update(dict.fromkeys(ids, failed))
            self.moved.notify_all()

    async def until(self, done: Callable[[], bool]) -> None:
        async with asyncio.timeout(30), self.moved:
            await self.moved.wait_for(done)


@workflow
async def it() -> int:
    return 7


@pytest.fixture
def api() -> Api:
    return Api()


@pytest.fixture
async def client(api: Api) -> AsyncIterator[Client]:
    async with Client("http://api", transport=httpx.MockTransport(api)) as client:
        yield client


async def test_beside_many_that_take_their_time_a_client_goes_on(api: Api, client: Client) -> None:
    count = POLLS_MAX + 5
    running = [asyncio.create_task(client.run(it)) for _ in range(count)]
    await api.until(lambda: bool(api.asked) and len(api.asked[-1]) == 5)

    seen = await client.get(ID.format(0))
    await api.end(*(ID.format(n) for n in range(count)))

    assert seen.status == "running"
    assert await asyncio.gather(*running) == [7] * count


async def test_results_beyond_the_polls_are_asked_for_together_and_each_gets_its_own(
    api: Api, client: Client
) -> None:
    polled = [asyncio.create_task(client.run(it)) for _ in range(POLLS_MAX)]
    await api.until(lambda: len(api.polls) == POLLS_MAX)
    good, bad = ID.format(10**6), ID.format(10**6 + 1)
    waiting = [asyncio.create_task(client.handle(id_, it).result()) for id_ in (good, bad)]
    await api.until(lambda: bool(api.asked) and set(api.asked[-1]) == {good, bad})

    await api.end(bad, failed=True)
    with pytest.raises(WorkflowFailed, match="no_stock"):
        await waiting[1]
    await api.end(good, *(ID.format(n) for n in range(POLLS_MAX)))

    assert await waiting[0] == 7
    assert await asyncio.gather(*polled) == [7] * POLLS_MAX


async def test_of_an_older_api_each_looks_for_itself(
    api: Api, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mainspring.ends.LOOK_S", 0.0)
    api.is_old = True
    running = [asyncio.create_task(client.run(it)) for _ in range(POLLS_MAX + 2)]
    await api.until(lambda: len(api.polls) == POLLS_MAX)

    await api.end(*(ID.format(n) for n in range(POLLS_MAX + 2)))

    assert await asyncio.gather(*running) == [7] * (POLLS_MAX + 2)


async def test_a_client_that_is_closed_leaves_nobody_waiting(api: Api) -> None:
    client = Client("http://api", transport=httpx.MockTransport(api))
    running = [asyncio.create_task(client.run(it)) for _ in range(POLLS_MAX + 1)]
    await api.until(lambda: bool(api.asked))

    await client.close()

    with pytest.raises(RuntimeError, match="closed"):
        await running[-1]
    for one in running:
        one.cancel()


async def test_a_call_asks_for_no_more_than_the_api_takes(api: Api) -> None:
    http = http_of("http://api", {}, httpx.MockTransport(api))
    ends = Ends(Sender(http), "http://api/ended")
    ids = [ID.format(n) for n in range(IDS_PER_CALL_MAX + 1)]
    waiting = [asyncio.create_task(ends.told(id_)) for id_ in ids]
    await api.until(lambda: {id_ for asked in api.asked for id_ in asked} == set(ids))

    await api.end(*ids)
    await asyncio.gather(*waiting)

    assert max(map(len, api.asked)) == IDS_PER_CALL_MAX
    await http.aclose()


async def test_turns_that_end_are_passed_on_in_order() -> None:
    turns, began = Turns(), list[int]()
    gates = [asyncio.Event() for _ in range(POLLS_MAX + 2)]

    async def take(number: int) -> bool:
        async with turns.turn() as mine:
            began.append(number)
            await gates[number].wait()
            return mine

    taking = [asyncio.create_task(take(number)) for number in range(POLLS_MAX + 2)]
    await asyncio.sleep(0)
    taking[POLLS_MAX].cancel()
    gates[3].set()
    await taking[3]
    await asyncio.sleep(0)
    for gate in gates:
        gate.set()

    assert await taking[-1]
    assert began == [*range(POLLS_MAX), POLLS_MAX + 1]


async def test_where_no_turn_ends_nobody_waits_for_one() -> None:
    turns, gate = Turns(), asyncio.Event()

    async def take() -> bool:
        async with turns.turn() as mine:
            if mine:
                await gate.wait()
            return mine

    taking = [asyncio.create_task(take()) for _ in range(POLLS_MAX + 3)]
    async with asyncio.timeout(100 * STALLED_S):
        refused = await asyncio.gather(*taking[POLLS_MAX:])
    gate.set()

    assert refused == [False] * 3
    assert all(await asyncio.gather(*taking[:POLLS_MAX]))
