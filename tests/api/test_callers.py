"""What callers of a channel may choose: what the owner of the agent leaves to them."""

import httpx
import pytest

from tests.api.test_resources import V1, made_agent

Json = dict[str, object]
MESSAGE: Json = {"role": "user", "content": [{"type": "text", "text": "hello"}]}
MODEL = "model_01933b5a00007000800000000000a001"


class Caller:
    def __init__(self, client: httpx.AsyncClient, channel: Json, headers: dict[str, str]) -> None:
        self._client = client
        self._at = f"{V1}/channels/{channel['id']}/sessions"
        self._headers = headers

    async def says(self, controls: Json) -> httpx.Response:
        """In a session of its own, so that every message begins a turn."""
        session = (await self._client.post(self._at, json={}, headers=self._headers)).json()
        path = f"{self._at}/{session['id']}/messages"
        body = {"message": MESSAGE, "controls": controls}
        return await self._client.post(path, json=body, headers=self._headers)


async def calling(client: httpx.AsyncClient, channel: Json) -> Caller:
    agent = await made_agent(client)
    made = (await client.post(f"{V1}/agents/{agent['id']}/channels", json=channel)).json()
    return Caller(client, made, {"Authorization": f"Bearer {made['keys'][0]['key']}"})


@pytest.mark.parametrize(
    "controls",
    [
        {"model_id": MODEL},
        {"reasoning": {"effort": "xhigh"}},
        {"speed": "priority"},
        {"hints": {"any": 1}},
        {"error_disclosure": "detailed"},
    ],
    ids=lambda controls: next(iter(controls)),
)
async def test_callers_choose_what_costs_the_owner_only_where_the_channel_lets_them(
    client: httpx.AsyncClient, controls: Json
) -> None:
    usual = await calling(client, {})
    delegating = await calling(client, {"delegates_controls": True})

    refused, taken = await usual.says(controls), await delegating.says(controls)

    (name,) = controls
    assert (refused.status_code, refused.json()["code"]) == (403, "permission_denied")
    assert f"controls.{name}" in refused.json()["detail"]
    assert taken.status_code == 201, taken.text


async def test_callers_choose_how_they_are_answered(client: httpx.AsyncClient) -> None:
    caller = await calling(client, {})

    answer = await caller.says({"locale": "de", "verbosity": "low"})

    assert answer.status_code == 201, answer.text
