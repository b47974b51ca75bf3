"""/durable/schedules over the application: what is taken, what is refused, what comes out."""

from typing import cast

import httpx
import msgspec
import pytest

from mainspring_api.adapters.http.services import Services
from mainspring_api.ports.schedules import Schedules
from mainspring_kernel.errors import Unavailable
from mainspring_schema.schedules import CreateSchedule, ScheduleRecord, TriggerSchedule

V1 = "/api/v1"
PATH = f"{V1}/durable/schedules"
Json = dict[str, object]
SAY: Json = {"type": "message", "message": {"content": [{"type": "text", "text": "Report."}]}}
FLOW: Json = {"type": "workflow", "workflow_type": "report", "input": [1, {"a": "b"}]}


def body(**members: object) -> Json:
    return {"name": "nightly", "cron": "0 3 * * *", "target": SAY} | members


async def made(client: httpx.AsyncClient, **members: object) -> Json:
    answer = await client.post(PATH, json=body(**members))
    assert answer.status_code == 201, answer.text
    return cast("Json", answer.json())


async def code_of(answer: httpx.Response, status: int) -> str:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"].startswith("application/problem+json")
    return str(answer.json()["code"])


# ── making ──────────────────────────────────────────────────────────────────────────────────────


async def test_a_cron_schedule_comes_back_as_it_was_said(client: httpx.AsyncClient) -> None:
    schedule = await made(
        client,
        timezone="Europe/Prague",
        description="What happened today",
        overlap="buffer_one",
        catch_up_window_seconds=600,
        jitter_seconds=30,
    )

    assert str(schedule["id"]).startswith("schedule_")
    assert (schedule["cron"], schedule["timezone"]) == ("0 3 * * *", "Europe/Prague")
    assert (schedule["interval_seconds"], schedule["at"]) == (None, None)
    assert (schedule["overlap"], schedule["catch_up_window_seconds"]) == ("buffer_one", 600)
    assert (schedule["jitter_seconds"], schedule["enabled"]) == (30, True)
    assert schedule["last_trigger_at"] is None
    assert str(schedule["next_trigger_at"])[14:] == "00:00.000Z"
    got = await client.get(f"{PATH}/{schedule['id']}")
    assert got.json() == schedule


async def test_the_defaults_are_skip_and_an_hour_of_catching_up(client: httpx.AsyncClient) -> None:
    schedule = await made(client)

    assert (schedule["overlap"], schedule["catch_up_window_seconds"]) == ("skip", 3600)
    assert (schedule["timezone"], schedule["jitter_seconds"]) == ("UTC", 0)


async def test_intervals_and_one_shots_are_timings_too(client: httpx.AsyncClient) -> None:
    every = await made(client, cron=None, interval_seconds=90)
    once = await made(client, name="once", cron=None, at="2099-07-01T09:00", timezone="Asia/Tokyo")

    assert (every["interval_seconds"], every["cron"]) == (90, None)
    assert (once["at"], once["next_trigger_at"]) == ("2099-07-01T00:00:00.000Z",) * 2


async def test_the_target_comes_back_whole(client: httpx.AsyncClient) -> None:
    session_id = (await client.post(f"{V1}/sessions", json={})).json()["id"]
    fixed = SAY | {"session_id": session_id, "metadata": {"a": 1}, "controls": {"speed": "fast"}}
    fresh = SAY | {"session": {"title": "Reports", "tags": ["x"]}}

    first = cast("Json", (await made(client, target=fixed))["target"])
    second = cast("Json", (await made(client, name="b", target=fresh))["target"])

    assert (first["session_id"], first["session"]) == (session_id, None)
    assert first["metadata"] == {"a": 1}
    assert cast("Json", first["controls"])["speed"] == "fast"
    assert second["session_id"] is None
    assert cast("Json", second["session"])["title"] == "Reports"


WRONG: list[tuple[Json, int, str]] = [
    ({"cron": "0 3 * *"}, 422, "validation_failed"),
    ({"cron": None}, 422, "validation_failed"),
    ({"interval_seconds": 60}, 422, "validation_failed"),
    ({"timezone": "Europe/Nowhere"}, 422, "validation_failed"),
    ({"cron": None, "interval_seconds": 0}, 422, "validation_failed"),
    ({"cron": None, "at": "2001-01-01T00:00:00Z"}, 422, "validation_failed"),
    ({"cron": None, "at": "soon"}, 422, "validation_failed"),
    ({"overlap": "maybe"}, 422, "validation_failed"),
    ({"catch_up_window_seconds": 1}, 422, "validation_failed"),
    ({"name": ""}, 422, "validation_failed"),
    ({"target": None}, 422, "validation_failed"),
    ({"target": {"type": "message"}}, 422, "validation_failed"),
    ({"target": {"type": "pigeon"}}, 422, "validation_failed"),
    ({"target": FLOW | {"input": 3}}, 422, "validation_failed"),
    ({"target": FLOW | {"input": ["x" * 600_000]}}, 413, "payload_too_large"),
    ({"target": SAY | {"session_id": "session_1"}}, 400, "invalid_id"),
    ({"target": SAY | {"session_id": f"session_{'0' * 32}"}}, 404, "not_found"),
    ({"target": SAY | {"session": {"agent_name": "nobody"}}}, 404, "not_found"),
    ({"target": SAY | {"session": {"workspace_id": f"wsp_{'0' * 32}"}}}, 404, "not_found"),
    (
        {"target": SAY | {"session_id": f"session_{'0' * 32}", "session": {}}},
        422,
        "validation_failed",
    ),
    (
        {
            "target": SAY
            | {
                "message": {
                    "role": "tool_result",
                    "content": [{"type": "tool_result", "tool_call_id": "x"}],
                }
            }
        },
        422,
        "validation_failed",
    ),
]


async def test_a_workflow_is_a_target_too(client: httpx.AsyncClient) -> None:
    schedule = await made(client, target=FLOW)
    flows = (await client.get(PATH, params={"target_type": "workflow"})).json()

    assert schedule["target"] == FLOW | {"queue": "default"}
    assert [one["id"] for one in flows["data"]] == [schedule["id"]]


@pytest.mark.parametrize(("members", "status", "code"), WRONG)
async def test_what_could_not_fire_is_refused(
    client: httpx.AsyncClient, members: Json, status: int, code: str
) -> None:
    answer = await client.post(PATH, json=body(**members))

    assert await code_of(answer, status) == code
    assert (await client.get(PATH)).json()["total"] == 0


async def test_a_name_is_taken_once(client: httpx.AsyncClient) -> None:
    await made(client)

    assert await code_of(await client.post(PATH, json=body()), 409) == "name_taken"


# ── lists, changes ──────────────────────────────────────────────────────────────────────────────


async def test_a_list_is_a_page_and_is_narrowed(client: httpx.AsyncClient) -> None:
    for name in ("a", "b", "c"):
        await made(client, name=name, enabled=name != "b")

    page = (await client.get(PATH, params={"limit": 2})).json()
    paused = (await client.get(PATH, params={"enabled": "false"})).json()
    flows = (await client.get(PATH, params={"target_type": "workflow"})).json()

    assert [one["name"] for one in page["data"]] == ["c", "b"]
    assert (page["total"], page["offset"], page["limit"]) == (3, 0, 2)
    assert [one["name"] for one in paused["data"]] == ["b"]
    assert flows["total"] == 0


async def test_a_patch_changes_what_it_names(client: httpx.AsyncClient) -> None:
    schedule = await made(client, timezone="Europe/Prague")
    path = f"{PATH}/{schedule['id']}"

    zoned = (await client.patch(path, json={"timezone": "Asia/Tokyo"})).json()
    renamed = (await client.patch(path, json={"name": "daily", "overlap": "allow_all"})).json()
    timed = (await client.patch(path, json={"interval_seconds": 60})).json()
    aimed = (
        await client.patch(path, json={"target": SAY | {"session": {"title": "Other"}}})
    ).json()

    assert (zoned["cron"], zoned["timezone"]) == ("0 3 * * *", "Asia/Tokyo")
    assert zoned["next_trigger_at"] != schedule["next_trigger_at"]
    assert (renamed["name"], renamed["overlap"], renamed["cron"]) == (
        "daily",
        "allow_all",
        "0 3 * * *",
    )
    assert (timed["interval_seconds"], timed["cron"]) == (60, None)
    assert aimed["target"]["session"]["title"] == "Other"


@pytest.mark.parametrize(
    ("patch", "status"),
    [
        ({"cron": "bad"}, 422),
        ({"cron": "0 3 * * *", "at": "2099-01-01T00:00:00Z"}, 422),
        ({"target": SAY | {"session": {"agent_name": "nobody"}}}, 404),
        ({"jitter_seconds": -1}, 422),
    ],
)
async def test_a_wrong_patch_changes_nothing(
    client: httpx.AsyncClient, patch: Json, status: int
) -> None:
    schedule = await made(client)
    path = f"{PATH}/{schedule['id']}"

    assert (await client.patch(path, json=patch)).status_code == status
    assert (await client.get(path)).json() == schedule


async def test_pause_and_resume(client: httpx.AsyncClient) -> None:
    path = f"{PATH}/{(await made(client))['id']}"

    paused = (await client.post(f"{path}/pause")).json()
    resumed = (await client.post(f"{path}/resume")).json()

    assert (paused["enabled"], paused["next_trigger_at"]) == (False, None)
    assert resumed["enabled"]
    assert resumed["next_trigger_at"] is not None


async def test_a_deleted_schedule_is_gone(client: httpx.AsyncClient) -> None:
    path = f"{PATH}/{(await made(client))['id']}"

    assert (await client.delete(path)).status_code == 204
    assert await code_of(await client.get(path), 404) == "not_found"
    assert await code_of(await client.delete(path), 404) == "not_found"
    assert await code_of(await client.post(f"{path}/trigger"), 404) == "not_found"
    await made(client)


# ── executions ──────────────────────────────────────────────────────────────────────────────────


async def test_a_trigger_is_an_execution_that_can_be_found(client: httpx.AsyncClient) -> None:
    schedule = await made(client)
    path = f"{PATH}/{schedule['id']}"

    triggered = (await client.post(f"{path}/trigger")).json()

    assert (triggered["triggered_by"], triggered["status"]) == ("manual", "waiting")
    assert triggered["schedule_id"] == schedule["id"]
    listed = (await client.get(f"{path}/executions")).json()
    assert (listed["data"], listed["total"]) == ([triggered], 1)
    assert (await client.get(f"{V1}/durable/executions/{triggered['id']}")).json() == triggered
    assert (await client.get(f"{path}/executions?status=failed")).json()["data"] == []
    stats = (await client.get(f"{path}/stats")).json()
    assert stats == {"total": 1, "by_status": {"waiting": 1}, "mean_duration_ms": None}


async def test_another_organization_sees_nothing_of_it(client: httpx.AsyncClient) -> None:
    other = (await client.post(f"{V1}/orgs", json={"name": "other"})).json()["id"]
    schedule = await made(client)
    slot = (await client.post(f"{PATH}/{schedule['id']}/trigger")).json()["id"]

    for path in (f"{PATH}/{schedule['id']}", f"{V1}/durable/executions/{slot}"):
        assert await code_of(await client.get(path, headers={"X-Org-Id": other}), 404)
    assert (await client.get(PATH, headers={"X-Org-Id": other})).json()["total"] == 0


# ── keys ────────────────────────────────────────────────────────────────────────────────────────


class Flaky:
    """A scheduler whose answers get lost, as often as is said."""

    def __init__(self, inner: Schedules, lost: int) -> None:
        self._inner = inner
        self.lost = lost

    async def create(self, command: CreateSchedule) -> ScheduleRecord:
        made = await self._inner.create(command)
        self._lose()
        return made

    async def trigger(self, command: TriggerSchedule) -> object:
        slot = await self._inner.trigger(command)
        self._lose()
        return slot

    def _lose(self) -> None:
        if self.lost:
            self.lost -= 1
            detail = "the answer was lost"
            raise Unavailable(detail)

    def __getattr__(self, name: str) -> object:
        return getattr(self._inner, name)


@pytest.fixture
def flaky(services: Services) -> Flaky:
    made = Flaky(services.schedules, lost=0)
    msgspec.structs.force_setattr(services, "schedules", made)
    return made


async def test_a_post_with_a_key_happens_once(client: httpx.AsyncClient) -> None:
    key = {"Idempotency-Key": "k1"}
    first = await client.post(PATH, json=body(), headers=key)
    again = await client.post(PATH, json=body(), headers=key)
    path = f"{PATH}/{first.json()['id']}"
    triggers = [await client.post(f"{path}/trigger", headers=key) for _ in range(2)]
    pauses = [await client.post(f"{path}/pause", headers=key) for _ in range(2)]

    assert (first.status_code, first.content) == (again.status_code, again.content)
    assert triggers[0].content == triggers[1].content
    assert pauses[0].content == pauses[1].content
    assert (await client.get(f"{path}/executions")).json()["total"] == 1
    other = await client.post(PATH, json=body(name="other"), headers=key)
    assert await code_of(other, 409) == "idempotency_mismatch"


async def test_a_key_whose_answer_was_lost_finds_what_was_made(
    flaky: Flaky, client: httpx.AsyncClient
) -> None:
    key = {"Idempotency-Key": "k1"}
    flaky.lost = 2
    lost = [await client.post(PATH, json=body(), headers=key) for _ in range(2)]
    found = await client.post(PATH, json=body(), headers=key)
    path = f"{PATH}/{found.json()['id']}"
    flaky.lost = 1
    lost.append(await client.post(f"{path}/trigger", headers=key))
    triggered = await client.post(f"{path}/trigger", headers=key)

    assert [answer.status_code for answer in lost] == [503, 503, 503]
    assert (found.status_code, triggered.status_code) == (201, 200)
    assert (await client.get(PATH)).json()["total"] == 1
    listed = (await client.get(f"{path}/executions")).json()
    assert [one["id"] for one in listed["data"]] == [triggered.json()["id"]]


async def test_a_key_whose_request_was_refused_may_be_used_again(
    client: httpx.AsyncClient,
) -> None:
    key = {"Idempotency-Key": "k1"}
    await made(client)
    refused = await client.post(PATH, json=body(), headers=key)
    await client.delete(f"{PATH}/{(await client.get(PATH)).json()['data'][0]['id']}")

    assert refused.status_code == 409
    assert (await client.post(PATH, json=body(), headers=key)).status_code == 201
