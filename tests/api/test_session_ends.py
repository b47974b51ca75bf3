"""A session is deleted, and webhooks that asked for it are told: signed, once, whatever is cut."""

import hashlib
import hmac
from collections.abc import Awaitable, Callable, Sequence
from typing import NoReturn, cast

import httpx
import msgspec
import pytest

from mainspring_api.adapters.http.services import Services
from mainspring_api.domain.tiers import Configuration
from mainspring_api.usecases import upkeep
from mainspring_api.usecases.session_ends import HANDING_MS_MAX
from mainspring_engine.domain.limits import PLAIN_AGE_MS_MAX
from mainspring_harness.errors import UnknownCapability
from mainspring_kernel.errors import (
    DeadlineExceeded,
    MainspringError,
    StateUnreadable,
    TaskIdMismatch,
    TooManyRequests,
    Unavailable,
    ValidationFailed,
)
from mainspring_kernel.ids import Prefix, to_wire
from mainspring_schema.commands import Close, CloseReceipt
from mainspring_schema.plain import SubmitTask, TaskReceipt
from mainspring_schema.session_ends import SESSION_END, SessionEnd
from tests.api.backend import Backend
from tests.api.test_resources import V1, Json

HOOK: Json = {
    "point": "session_end", "type": "webhook", "id": "bye", "url": "https://hooks.test/end",
}  # fmt: skip


async def session(client: httpx.AsyncClient, *hooks: Json, **rest: object) -> str:
    body = {"capabilities": [{"ref": "user_hooks", "config": {"hooks": list(hooks)}}], **rest}
    answer = await client.post(f"{V1}/sessions", json=body)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def deleted(client: httpx.AsyncClient, session_id: str) -> int:
    return (await client.delete(f"{V1}/sessions/{session_id}")).status_code


async def cut_off(
    client: httpx.AsyncClient, backend: Backend, monkeypatch: pytest.MonkeyPatch, session_id: str
) -> None:
    """Its deletion begins, and the engine is away."""
    with monkeypatch.context() as cut:
        cut.setattr(backend, "close", away)
        assert await deleted(client, session_id) == 503


def told(backend: Backend) -> Sequence[SessionEnd]:
    inputs = [task.input for task, _ in backend.tasks.values() if task.type == SESSION_END]
    return [msgspec.json.decode(one, type=SessionEnd) for one in inputs]


async def test_a_webhook_is_told_of_the_session_that_was_deleted(
    client: httpx.AsyncClient, backend: Backend
) -> None:
    id_ = await session(client, HOOK, HOOK | {"point": "turn_end", "id": "other"})

    assert await deleted(client, id_) == 204

    (end,) = told(backend)
    assert (end.url, end.hook_id, end.signature) == ("https://hooks.test/end", "bye", "")
    assert msgspec.json.decode(end.body) == {
        "id": f"{id_}:session_end:bye",
        "event": "session_end",
        "hook_id": "bye",
        "session_id": id_,
        "agent_id": None,
    }
    assert await deleted(client, id_) == 404
    assert len(told(backend)) == 1


async def test_it_is_signed_with_the_secret_that_goes_with_the_session(
    client: httpx.AsyncClient, backend: Backend
) -> None:
    id_ = await session(client, HOOK | {"secret": "KEY"}, HOOK | {"id": "b", "secret": "NONE"})
    secrets = {"secrets": {"KEY": "hush"}}
    await client.put(f"{V1}/sessions/{id_}/storage/secrets", json=secrets)

    await deleted(client, id_)

    (end,) = told(backend)
    time, _, digest = end.signature.partition(",v1=")
    signed = f"{time.removeprefix('t=')}.{end.body}".encode()
    assert digest == hmac.new(b"hush", signed, hashlib.sha256).hexdigest()
    assert "hush" not in str(end)


async def test_a_deletion_that_cannot_be_finished_holds_up_no_other(
    client: httpx.AsyncClient,
    services: Services,
    backend: Backend,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    broken, sound = await session(client, HOOK), await session(client, HOOK)
    for id_ in (broken, sound):
        await cut_off(client, backend, monkeypatch, id_)

    with monkeypatch.context() as failing:
        failing.setattr(backend, "close", unreadable(broken, backend.close))
        assert await swept(services) == 1
        assert await swept(services) == 0

    assert [msgspec.json.decode(end.body)["session_id"] for end in told(backend)] == [sound]
    assert await swept(services) == 1


async def test_a_deletion_that_was_cut_is_finished_by_the_sweep_and_tells_once(
    client: httpx.AsyncClient,
    services: Services,
    backend: Backend,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    id_ = await session(client, HOOK)
    await cut_off(client, backend, monkeypatch, id_)
    assert told(backend) == []

    assert await swept(services) == 1

    assert [end.hook_id for end in told(backend)] == ["bye"]


async def test_two_who_delete_at_once_tell_once(
    client: httpx.AsyncClient, backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    id_ = await session(client, HOOK)
    await cut_off(client, backend, monkeypatch, id_)

    assert await deleted(client, id_) == 204

    assert len(told(backend)) == 1


async def test_an_api_that_is_lost_behind_the_handing_over_tells_once(
    client: httpx.AsyncClient,
    services: Services,
    backend: Backend,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    id_ = await session(client, HOOK)
    submit = backend.submit_task

    async def lost(command: SubmitTask) -> TaskReceipt:
        await submit(command)
        return await away(command)

    with monkeypatch.context() as cut:
        cut.setattr(backend, "submit_task", lost)
        assert await deleted(client, id_) == 204
    assert await swept(services) == 1

    assert len(told(backend)) == 1


@pytest.mark.parametrize("error", [Unavailable, TooManyRequests, DeadlineExceeded])
async def test_an_engine_that_takes_no_task_is_waited_for_out_of_sight(
    client: httpx.AsyncClient,
    services: Services,
    backend: Backend,
    monkeypatch: pytest.MonkeyPatch,
    error: type[MainspringError],
) -> None:
    ids = [await session(client, HOOK) for _ in range(2)]
    with monkeypatch.context() as full:
        full.setattr(backend, "submit_task", refusing(error))
        assert [await deleted(client, id_) for id_ in ids] == [204, 204]
        assert (await client.get(f"{V1}/sessions/{ids[0]}")).status_code == 404
        assert await swept(services) == 0

    assert await swept(services) == 2
    assert len(told(backend)) == 2


async def test_an_engine_that_takes_no_task_for_an_hour_lets_the_session_go_untold(
    client: httpx.AsyncClient,
    services: Services,
    backend: Backend,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    id_ = await session(client, HOOK)
    monkeypatch.setattr(backend, "submit_task", refusing(TooManyRequests))
    assert await deleted(client, id_) == 204

    assert await swept(services, HANDING_MS_MAX - 60_000) == 0
    assert await swept(services, HANDING_MS_MAX + 1) == 1
    assert "nobody tells a hook" in caplog.text
    assert HANDING_MS_MAX < PLAIN_AGE_MS_MAX


@pytest.mark.parametrize("error", [ValidationFailed, TaskIdMismatch])
async def test_a_task_that_is_refused_for_good_keeps_nobody_from_deleting(
    client: httpx.AsyncClient,
    services: Services,
    backend: Backend,
    monkeypatch: pytest.MonkeyPatch,
    error: type[MainspringError],
) -> None:
    id_ = await session(client, HOOK)
    monkeypatch.setattr(backend, "submit_task", refusing(error))

    assert await deleted(client, id_) == 204

    assert await swept(services) == 0
    assert await deleted(client, id_) == 404


async def test_a_configuration_that_is_late_is_no_reason_to_tell_nobody(
    client: httpx.AsyncClient, services: Services, backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    id_ = await session(client, HOOK)
    with monkeypatch.context() as slow:
        slow.setattr(services.configurations, "of", late)
        assert await deleted(client, id_) == 504

    assert await deleted(client, id_) == 204
    assert len(told(backend)) == 1


async def test_a_capability_that_raises_keeps_nobody_from_deleting(
    client: httpx.AsyncClient, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    id_ = await session(client, HOOK)
    monkeypatch.setattr(services.configurations, "of", broken)

    assert await deleted(client, id_) == 204
    assert await deleted(client, id_) == 404


async def test_two_hooks_of_one_name_are_both_told(
    client: httpx.AsyncClient, backend: Backend
) -> None:
    await deleted(client, await session(client, HOOK, HOOK | {"url": "https://b.test/"}))

    assert {end.url for end in told(backend)} == {"https://hooks.test/end", "https://b.test/"}


async def test_a_configuration_that_is_unsound_keeps_nobody_from_deleting(
    client: httpx.AsyncClient, services: Services, backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    id_ = await session(client, HOOK)
    monkeypatch.setattr(services.configurations, "of", unsound)

    assert await deleted(client, id_) == 204

    assert told(backend) == []


async def test_a_script_is_not_told_of_an_end(client: httpx.AsyncClient) -> None:
    hook = {"point": "session_end", "type": "command", "command": "true"}
    body = {"capabilities": [{"ref": "user_hooks", "config": {"hooks": [hook]}}]}

    answer = await client.post(f"{V1}/sessions", json=body)

    assert answer.status_code == 422
    assert "only a webhook is told" in str(cast("Json", answer.json()))


async def swept(services: Services, after_ms: int = 0) -> int:
    """How many deletions the sweep finishes so long after now, however young they are."""
    late_ms = services.clock.wall_ms() + after_ms
    return await upkeep.sweep(services.store, services.control, late_ms, retry_s=0.0)


def refusing(error: type[MainspringError]) -> Callable[[SubmitTask], Awaitable[TaskReceipt]]:
    async def refuse(_command: SubmitTask) -> TaskReceipt:
        raise error

    return refuse


def unreadable(
    session_id: str, close: Callable[[Close], Awaitable[CloseReceipt]]
) -> Callable[[Close], Awaitable[CloseReceipt]]:
    async def refuse_one(command: Close) -> CloseReceipt:
        if to_wire(Prefix.SESSION, command.session_id) == session_id:
            what = "turn"
            raise StateUnreadable(what)
        return await close(command)

    return refuse_one


async def late(*_: object) -> Configuration:
    raise DeadlineExceeded


async def broken(*_: object) -> Configuration:
    msg = "code of people's own"
    raise RuntimeError(msg)


async def away(command: object) -> NoReturn:
    del command
    msg = "the engine is away"
    raise Unavailable(msg)


async def unsound(*_: object) -> Configuration:
    msg = "nobody knows what this capability was"
    raise UnknownCapability(msg)
