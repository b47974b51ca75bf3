"""Dead letters over HTTP."""

import httpx
import pytest

from mainspring_kernel.ids import DEFAULT_ORG_ID
from mainspring_schema import operations as ops
from tests.api.operators import SESSION, TASK, TURN, FakeOperator

V1 = "/api/v1/durable"
TASK_ID = f"task_{TASK.hex}"
CONDITIONS = {
    "reason": "poison",
    "kind": "tool",
    "session_id": f"session_{SESSION.hex}",
    "workflow_id": f"turn_{TURN.hex}",
    "from_ts": "2025-11-22T00:00:00Z",
    "to_ts": "2025-11-23T00:00:00Z",
}
WANTED = ops.LetterFilter(
    reason="poison",
    kind="tool",
    session_id=SESSION,
    workflow_id=TURN,
    from_ms=1_763_769_600_000,
    until_ms=1_763_856_000_000,
)


@pytest.mark.parametrize("path", ["dead-letters", "dlq"])
async def test_letters_are_listed_under_both_names_with_every_condition(
    client: httpx.AsyncClient, operator: FakeOperator, path: str
) -> None:
    query = {**CONDITIONS, "status": "open", "after": TASK_ID, "limit": "7"}

    answer = await client.get(f"{V1}/{path}", params=query)

    assert answer.status_code == 200, answer.text
    (letter,) = answer.json()["data"]
    assert (letter["id"], letter["status"], letter["reason"]) == (TASK_ID, "open", "poison")
    assert answer.json()["next"] == TASK_ID
    (asked,) = operator.asked
    assert isinstance(asked, ops.ListLetters)
    assert (asked.org_id, asked.after, asked.limit) == (DEFAULT_ORG_ID, TASK, 7)
    assert asked.wanted == ops.LetterFilter(
        status="open",
        reason="poison",
        kind="tool",
        session_id=SESSION,
        workflow_id=TURN,
        from_ms=WANTED.from_ms,
        until_ms=WANTED.until_ms,
    )


@pytest.mark.parametrize(("id_", "kind"), [("nonsense", "task"), ("exec_1", "exec")])
async def test_an_id_that_is_none_is_told_which_one_it_should_be(
    client: httpx.AsyncClient, id_: str, kind: str
) -> None:
    answer = await client.get(f"{V1}/dead-letters/{id_}")

    assert answer.status_code == 400
    assert f"is no {kind} id" in answer.text


async def test_a_letter_shows_its_attempts_and_input(client: httpx.AsyncClient) -> None:
    answer = (await client.get(f"{V1}/dead-letters/{TASK_ID}")).json()

    assert answer["letter"]["workflow_id"] == f"turn_{TURN.hex}"
    assert [attempt["closing"] for attempt in answer["attempts"]] == ["expired"]
    assert answer["input"]["tool"] == "add"


@pytest.mark.parametrize("path", [f"dead-letters/{TASK_ID}/requeue", f"dlq/{TASK_ID}/retry"])
async def test_a_letter_is_requeued_once(client: httpx.AsyncClient, path: str) -> None:
    first = await client.post(f"{V1}/{path}")
    second = await client.post(f"{V1}/{path}")

    assert first.status_code == 200, first.text
    assert (first.json()["status"], first.json()["requeued_as"]) == (
        "requeued", f"turn_{SESSION.hex}",
    )  # fmt: skip
    assert (second.status_code, second.json()["code"]) == (409, "conflict")


async def test_a_letter_is_discarded(client: httpx.AsyncClient) -> None:
    answer = await client.post(f"{V1}/dead-letters/{TASK_ID}/discard")

    assert (answer.status_code, answer.json()["status"]) == (200, "discarded")


async def test_a_requeue_under_a_key_answers_alike(client: httpx.AsyncClient) -> None:
    answers = [
        await client.post(f"{V1}/dead-letters/{TASK_ID}/requeue", headers={"Idempotency-Key": "k"})
        for _ in range(2)
    ]

    assert [answer.status_code for answer in answers] == [200, 200]
    assert answers[0].json() == answers[1].json()


async def test_many_are_requeued_by_condition_at_a_rate(
    client: httpx.AsyncClient, operator: FakeOperator
) -> None:
    body = {**CONDITIONS, "limit": 50, "rate_per_second": 2.5}

    answer = await client.post(f"{V1}/dead-letters/requeue", json=body)

    assert answer.status_code == 200, answer.text
    assert answer.json() == {
        "dry_run": False,
        "matched": 2,
        "taken": 2,
        "more": True,
        "last_due_at": "2025-11-22T08:26:40.000Z",
        "ids": [TASK_ID],
    }
    assert operator.asked == [
        ops.ResolveLetters(
            org_id=DEFAULT_ORG_ID,
            action="requeue",
            wanted=WANTED,
            limit=50,
            rate_per_s=2.5,
            rehearsal=False,
        )
    ]


@pytest.mark.parametrize("action", ["requeue", "discard"])
async def test_a_rehearsal_takes_nothing(client: httpx.AsyncClient, action: str) -> None:
    answer = await client.post(f"{V1}/dead-letters/{action}", json={"dry_run": True})

    assert (answer.json()["dry_run"], answer.json()["taken"]) == (True, 0)


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("dead-letters/requeue", {"rate_per_second": 0}, 422),
        ("dead-letters/requeue", {"limit": 1001}, 422),
        ("dead-letters/discard", {"rate_per_second": 1}, 422),
        ("dead-letters/discard", {"status": "open"}, 422),
        ("dead-letters/discard", {"session_id": "nonsense"}, 400),
        (f"dead-letters/task_{'0' * 32}/discard", {}, 404),
        ("dead-letters/nonsense/requeue", {}, 400),
    ],
)
async def test_what_cannot_be_done_says_why(
    client: httpx.AsyncClient, path: str, body: dict[str, object], status: int
) -> None:
    answer = await client.post(f"{V1}/{path}", json=body)

    assert answer.status_code == status, answer.text
