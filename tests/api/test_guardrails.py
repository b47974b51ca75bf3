"""Guardrails over REST: examples, and configurations tried on a text."""

from typing import cast

import httpx
import pytest

from mainspring_schema.messages import Json

V1 = "/api/v1/capabilities/guardrails"
SAID: Json = {"stage": "output", "text": "It is hush."}


async def test_each_example_can_be_tried(client: httpx.AsyncClient) -> None:
    listed = cast("Json", (await client.get(f"{V1}/examples")).json())

    for example in cast("list[Json]", listed["examples"]):
        tried = await client.post(f"{V1}/dry-run", json={**SAID, "config": example["config"]})
        assert tried.json() == {"blocked": False, "hits": []}


async def test_a_hit_is_told_with_what_it_does(client: httpx.AsyncClient) -> None:
    checks = [
        {"type": "blocklist", "words": ["HUSH"], "action": "log"},
        {"type": "regex", "id": "mine", "pattern": "hush", "replacement": "-"},
        {"type": "llm_judge", "instructions": "Secrets."},
    ]

    tried = await client.post(f"{V1}/dry-run", json={**SAID, "config": {"checks": checks}})
    told = cast("Json", tried.json())
    logged, blocked = cast("list[Json]", told["hits"])
    assert told["blocked"] is True
    assert (logged["matched"], logged["action"], logged["replacement"]) == ("HUSH", "log", None)
    assert blocked == {
        "check_id": "mine", "check_index": 1, "rule_type": "regex", "stage": "output",
        "action": "block", "reason_code": "guardrail_regex", "matched": None, "replacement": "-",
    }  # fmt: skip


@pytest.mark.parametrize(
    "body",
    [
        {**SAID, "config": {"checks": [{"type": "regex", "pattern": "(a"}]}},
        {**SAID, "config": {"checks": [{"type": "nonsense"}]}},
        {**SAID, "config": {"check": []}},
        {**SAID, "config": {}, "stage": "input"},
        {"config": {}, "text": "x"},
    ],
)
async def test_what_cannot_guard_is_refused(client: httpx.AsyncClient, body: Json) -> None:
    tried = await client.post(f"{V1}/dry-run", json=body)

    assert tried.status_code in {400, 422}, tried.text
    assert "code" in cast("Json", tried.json())
