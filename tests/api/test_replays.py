"""Replay over the wire: what was asked, what was not, and whose session it is."""

from uuid import UUID

import httpx
import msgspec
import pytest

from mainspring_harness.builtin import builtin_registry
from mainspring_harness.hashing import request_hash, stable_digest
from mainspring_harness.prompt import blueprint
from mainspring_harness.transcript import Transcript
from mainspring_schema.agents import decode_runtime_agent
from mainspring_schema.events import ReasonStarted
from tests.api.backend import Backend
from tests.api.operators import FakeOperator
from tests.api.test_resources import V1, made_session, message
from tests.api.watcher import uuid_of

Json = dict[str, object]


class Replayed(msgspec.Struct):
    status: str
    recorded_hash: str
    rebuilt_hash: str


class Replay(msgspec.Struct):
    intact: bool
    calls: list[Replayed]

    def statuses(self) -> list[str]:
        return [call.status for call in self.calls]


class Worker:
    """Asks the model that a session's newest message is for, and records what it asked."""

    def __init__(self, client: httpx.AsyncClient, backend: Backend, operator: FakeOperator) -> None:
        self._client = client
        self._backend = backend
        self._operator = operator
        self.session: Json = {}

    @property
    def id(self) -> UUID:
        return uuid_of(self.session)

    async def asked(self, text: str, *, recorded: str | None = None) -> None:
        path = f"{V1}/sessions/{self.session['id']}/messages"
        taken = (await self._client.post(path, json=message(text))).json()["id"]
        self._backend.append(
            self.id, "reason.started", ReasonStarted(harness_id="harness_1", consumed=(taken,))
        )
        submit = self._backend.submits[-1]
        if submit.config is not None:
            self._operator.configs[submit.config_hash] = submit.config
        config = self._operator.configs[submit.config_hash]
        stable = stable_digest(blueprint(decode_runtime_agent(config), builtin_registry()))
        transcript = Transcript()
        transcript.take(self._backend.sessions[self.id].events)
        made = request_hash(stable, transcript, None).hex()
        request = {"hash": recorded or made, "config_hash": submit.config_hash.hex()}
        self._backend.append(self.id, "llm.generation", {"request": request})

    async def replayed(self) -> Replay:
        answer = await self._client.get(f"{V1}/sessions/{self.session['id']}/replay")
        assert answer.status_code == 200, answer.text
        return msgspec.json.decode(answer.content, type=Replay)


@pytest.fixture
async def worker(client: httpx.AsyncClient, backend: Backend, operator: FakeOperator) -> Worker:
    worker = Worker(client, backend, operator)
    worker.session = await made_session(client, system_prompt="Be brief.")
    return worker


async def test_a_session_without_a_model_call_is_intact(worker: Worker) -> None:
    assert await worker.replayed() == Replay(intact=True, calls=[])


async def test_what_was_recorded_is_rebuilt_call_by_call(worker: Worker) -> None:
    await worker.asked("Hello")
    await worker.asked("And again")

    replay = await worker.replayed()

    assert (replay.intact, replay.statuses()) == (True, ["matches", "matches"])


async def test_a_request_that_differs_is_told_with_both_hashes(worker: Worker) -> None:
    await worker.asked("Hello")
    await worker.asked("And again", recorded="ab" * 32)

    replay = await worker.replayed()

    assert (replay.intact, replay.statuses()) == (False, ["matches", "differs"])
    assert replay.calls[1].recorded_hash == "ab" * 32
    assert replay.calls[1].rebuilt_hash not in {"", "ab" * 32}


async def test_a_configuration_that_is_gone_makes_no_difference(
    worker: Worker, operator: FakeOperator
) -> None:
    await worker.asked("Hello")
    operator.configs.clear()

    replay = await worker.replayed()

    assert (replay.intact, replay.statuses()) == (True, ["unknown"])


async def test_tools_of_servers_are_known_to_workers_alone(
    client: httpx.AsyncClient, worker: Worker
) -> None:
    servers = {"docs": {"url": "https://docs.test/mcp"}}
    worker.session = await made_session(client, mcpServers=servers)
    await worker.asked("Hello")

    assert (await worker.replayed()).statuses() == ["unknown"]


async def test_a_session_of_somebody_else_is_not_there(
    client: httpx.AsyncClient, worker: Worker
) -> None:
    other = (await client.post(f"{V1}/orgs", json={"name": "another"})).json()["id"]
    path = f"{V1}/sessions/{worker.session['id']}/replay"

    answers = [
        await client.get(path, headers={"X-Org-Id": other}),
        await client.get(f"{V1}/sessions/session_{'0' * 32}/replay"),
        await client.get(f"{V1}/sessions/nonsense/replay"),
    ]

    assert [answer.status_code for answer in answers] == [404, 404, 400]
