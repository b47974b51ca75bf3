"""Customers who start programs, write to them, cancel and fork them, and hand in plain tasks.

What is asked bears a key or an id of the customer's own, and is asked until it is answered.
"""

import asyncio
import random
from collections.abc import Iterator, Sequence
from typing import Final, cast
from uuid import uuid4

import httpx
import msgspec
from msgspec import Struct

from mainspring import Workflow
from mainspring_engine.domain.limits import WORKER_DEATHS_MAX
from mainspring_kernel.clock import SystemClock
from mainspring_kernel.ids import Prefix, RandomIds, to_wire
from tests.chaos.coding import Outside
from tests.chaos.found import Findings
from tests.chaos.ledger import Line
from tests.chaos.listening import AWAY, Json
from tests.sim.programs import Token, offers, token_of
from tests.sim.wanted import (
    FORKED_AT,
    PATIENT,
    Book,
    Order,
    drawn,
    fork_misfits,
    listed,
    misfits,
)
from tests.sim.wanted import letter as written

AGAIN_S: Final = 0.25
END_S: Final = 300.0
"""A program that has no end by then will have none."""
WAIT_S: Final = 5.0
PAGE_ROWS: Final = 1000
ENDED: Final = frozenset({"completed", "failed", "cancelled"})
NOTHING: Final[frozenset[int]] = frozenset()
LATE: Final = frozenset({409})
_OFFERS: Final = offers(Outside())
_IDS: Final = RandomIds(SystemClock())

POISON: Final = "poison"
"""The code of what was set aside."""
_DEATHS: Final = frozenset({"expired", "quarantined"})
"""How attempts are closed whose worker is gone, the last one with its task."""


class Placed(Struct, kw_only=True):
    """An order with its workflow, and its fork's. `told` is how it ended, as it was told first."""

    order: Order
    id: str
    told: str = ""
    fork: str = ""


class Handed(Struct, frozen=True, kw_only=True):
    """A plain task; `wanted` are the ends that it may have."""

    key: str
    id: str
    told: str
    wanted: frozenset[str]


class Customer:
    """One order after the other."""

    def __init__(self, number: int, seed: int, apis: Sequence[str], findings: Findings) -> None:
        self.placed: list[Placed] = []
        self.handed: list[Handed] = []
        self._name = f"c{number}"
        self._draws = random.Random(f"customer {seed} {number}")
        self._apis, self._findings = apis, findings
        self._http = httpx.AsyncClient(trust_env=False, timeout=15)

    async def buy(self, over: asyncio.Event) -> None:
        """Until it is over; what was begun is followed to its end."""
        number = 0
        while not over.is_set():
            number += 1
            key = f"{self._name}-{number}"
            try:
                async with asyncio.timeout(END_S):
                    await (self._task(key) if self._draws.random() < 0.4 else self._program(key))
            except TimeoutError:
                self._findings.add("unrest", f"{key} did not come to its end")

    async def close(self) -> None:
        await self._http.aclose()

    # ── programs ────────────────────────────────────────────────────────────────────────────────

    async def _program(self, key: str) -> None:
        order = drawn(self._draws, key)
        program = _OFFERS[order.program]
        body: Json = {"type": order.program, "input": order.arguments, "key": key}
        if isinstance(program, Workflow) and program.drawn and self._draws.random() < 0.5:
            body["declaration"] = msgspec.Raw(program.drawn.declaration)
        started = await self._asked("POST", "/durable/workflows", body)
        placed = Placed(order=order, id=str(started["id"]))
        self.placed.append(placed)
        path = f"/durable/workflows/{placed.id}"
        for letter in range(order.letters):
            signal_id = f"signal_{_IDS.uuid7().hex}"
            name, payload = written(order, letter)
            said: Json = {"name": name, "payload": payload, "id": signal_id}
            # It waits for all of them; another one may end before a letter comes.
            late = NOTHING if order.program in PATIENT else LATE
            await self._asked("POST", f"{path}/signal", said, bears=late)
        if order.cancels:
            await asyncio.sleep(2 * self._draws.random())
            await self._asked("POST", f"{path}/cancel", {"reason": "changed their mind"})
        placed.told = await self._end_of(path)
        if order.forks and placed.told == "completed":
            fork: Json = {"step": FORKED_AT, "key": f"{key}-fork"}
            placed.fork = str((await self._asked("POST", f"{path}/fork", fork))["id"])
            await self._end_of(f"/durable/workflows/{placed.fork}")

    async def _end_of(self, path: str) -> str:
        while True:
            seen = await self._asked("GET", f"{path}/result?wait_s={WAIT_S}")
            if seen["status"] in ENDED:
                return str(seen["status"])

    # ── plain tasks ─────────────────────────────────────────────────────────────────────────────

    async def _task(self, key: str) -> None:
        fails, cancels = self._draws.random() < 0.2, self._draws.random() < 0.2
        id_ = to_wire(Prefix.TASK, _IDS.uuid7())
        body: Json = {
            "id": id_, "type": "refuse" if fails else "mark", "input": [key] if fails else [key, 0],
        }  # fmt: skip
        await self._asked("POST", "/durable/tasks", body)
        said = ""
        if cancels:
            await asyncio.sleep(self._draws.random())
            view = await self._asked("POST", f"/durable/tasks/{id_}/cancel", {"reason": "no more"})
            said = str(view["status"])
        told = await self._end_of(f"/durable/tasks/{id_}")
        if said not in ("", told):
            self._findings.add("duplicate", f"{key} was {said} and then {told}")
        ends = frozenset({"failed" if fails else "completed", *(("cancelled",) if cancels else ())})
        self.handed.append(Handed(key=key, id=id_, told=told, wanted=ends))
        if told != "completed" and not await self._set_aside(id_):
            await self._again(key, id_, frozenset({"failed" if fails else "completed"}))

    async def _set_aside(self, id_: str) -> bool:
        """Whether it lost its workers: its letter is what an operator takes up."""
        return _of_poison(await self._asked("GET", f"/durable/tasks/{id_}/result"))

    async def _again(self, key: str, id_: str, ends: frozenset[str]) -> None:
        new = to_wire(Prefix.TASK, _IDS.uuid7())
        await self._asked("POST", f"/durable/tasks/{id_}/requeue", {"id": new})
        told = await self._end_of(f"/durable/tasks/{new}")
        self.handed.append(Handed(key=f"{key} again", id=new, told=told, wanted=ends))

    # ── asking ──────────────────────────────────────────────────────────────────────────────────

    async def _asked(
        self, method: str, path: str, body: Json | None = None,
        bears: frozenset[int] = NOTHING,
    ) -> Json:  # fmt: skip
        """The answer, asked for with one key until it comes."""
        headers = {"content-type": "application/json"}
        if method == "POST":
            headers["Idempotency-Key"] = uuid4().hex
        content = None if body is None else msgspec.json.encode(body)
        while True:
            try:
                answer = await self._http.request(
                    method, f"{self._draws.choice(self._apis)}{path}", content=content,
                    headers=headers,
                )  # fmt: skip
                if answer.is_success:
                    return cast("Json", answer.json())
                if answer.status_code in bears and not _at_work(answer):
                    return {}
                if answer.status_code not in AWAY and not _at_work(answer):
                    said = f"{path} answered {answer.status_code}: {answer.text[:300]}"
                    self._findings.add("answer", said)
            except (httpx.TransportError, ValueError):
                pass
            await asyncio.sleep(AGAIN_S * (0.5 + self._draws.random()))


def _at_work(answer: httpx.Response) -> bool:
    """Whether the first try with this key is: who is to come again is told so."""
    return answer.status_code == 409 and '"idempotency_in_progress"' in answer.text


# ── at rest ─────────────────────────────────────────────────────────────────────────────────────


class Audit:
    """Compares what customers were told with what the api says at the end, and with the ledger."""

    def __init__(self, http: httpx.AsyncClient, api: str, ledger: Sequence[Line]) -> None:
        self._http, self._api = http, api
        self._made = {line.key for line in ledger if line.what == "step"}

    async def of(self, customers: Sequence[Customer], findings: Findings) -> None:
        for customer in customers:
            for placed in customer.placed:
                for sentence in await self._program(placed):
                    findings.add("program", sentence)
            for handed in customer.handed:
                for sentence in await self._task(handed):
                    findings.add("program", sentence)

    async def _program(self, placed: Placed) -> list[str]:
        order = placed.order
        status, result = await self._result(placed.id)
        failed = status == "failed" and cast("Json", result)["code"] == POISON
        # Of a child, whose failure is not its parent's.
        of_poison = failed or (status == "completed" and POISON in listed(result))
        if of_poison and await self._lost_its_workers(placed.id):
            return []
        found = list(misfits(order, status, _copied(result), await self._book(placed.id)))
        if placed.told not in ("", status):
            found.append(f"{order.key} was {placed.told}, and is {status}")
        if placed.fork and status == "completed":
            forked_status, forked = await self._result(placed.fork)
            book = await self._book(placed.fork)
            whole = msgspec.structs.replace(order, cancels=False)
            found += misfits(whole, forked_status, _copied(forked), book)
            if forked_status == "completed":
                found += fork_misfits(order, listed(result), listed(forked))
        return found

    async def _task(self, handed: Handed) -> list[str]:
        seen = await self._get(f"/durable/tasks/{handed.id}/result")
        if handed.told == "failed" and _of_poison(seen) and await self._outlived(handed.id):
            return []
        found: list[str] = []
        if seen["status"] != handed.told or handed.told not in handed.wanted:
            found.append(f"{handed.key} was {handed.told}, and is {seen['status']}")
        if seen["status"] == "completed" and seen["result"] not in self._made:
            found.append(f"{handed.key} came to {seen['result']}, which nobody made")
        return found

    async def _lost_its_workers(self, id_: str) -> bool:
        """Whether it or a child that it waited for was set aside, and its workers were lost."""
        page = await self._get(f"/durable/dead-letters?workflow_id={id_}&reason=poison")
        for letter in cast("list[Json]", page["data"]):
            return await self._outlived(str(letter["id"]))
        for child in children(await self._events(id_)):
            if await self._lost_its_workers(child):
                return True
        return False

    async def _outlived(self, id_: str) -> bool:
        """Whether this task, which was set aside, lost as many workers as that takes."""
        details = await self._get(f"/durable/dead-letters/{id_}")
        return are_deaths(cast("list[Json]", details["attempts"]))

    async def _result(self, id_: str) -> tuple[str, object]:
        seen = await self._get(f"/durable/workflows/{id_}")
        return str(seen["status"]), seen["result"] if seen["error"] is None else seen["error"]

    async def _book(self, id_: str) -> Book:
        events = await self._events(id_)
        recorded = {token[:2]: token for token in _recorded(events)}
        return Book(
            recorded=lambda token: recorded.get(token[:2]),
            made=lambda token: (
                token.nth if f"{token.key}/{token.n}#{token.nth}" in self._made else 0
            ),
        )

    async def _events(self, id_: str) -> Json:
        return await self._get(f"/durable/workflows/{id_}/events?limit={PAGE_ROWS}")

    async def _get(self, path: str) -> Json:
        answer = await self._http.get(f"{self._api}{path}")
        return cast("Json", answer.raise_for_status().json())


def _of_poison(seen: Json) -> bool:
    """Of a task's result."""
    return seen["error"] is not None and cast("Json", seen["error"])["code"] == POISON


def are_deaths(attempts: Sequence[Json]) -> bool:
    """Whether so many workers died of it, or near it, that it is set aside as promised.

    Of so many different ones: a worker that lost a task again and again is alive, and a fault. A
    task that never reached its worker is lost as well, and counts as no death.
    """
    lost = {str(one["worker_id"]) for one in attempts if one["closing"] in _DEATHS}
    return len(lost) >= WORKER_DEATHS_MAX


def children(events: Json) -> Iterator[str]:
    """Those that it waited for."""
    for event in cast("list[Json]", events["data"]):
        told = cast("Json", event["data"])
        if event["type"] == "workflow.child_started" and not told["detached"]:
            yield str(told["workflow_id"])


def _copied(result: object) -> object:
    """Some of it is taken away where it is looked at."""
    return list(cast("list[object]", result)) if isinstance(result, list) else result


def _recorded(events: Json) -> Iterator[Token]:
    for event in cast("list[Json]", events["data"]):
        token = token_of(cast("Json", event["data"]).get("result"))
        if event["type"] == "step.completed" and token is not None:
            yield token
