"""Tasks, workers and health over HTTP."""

from uuid import UUID

import httpx
import pytest

from mainspring_kernel.ids import DEFAULT_ORG_ID
from mainspring_schema import operations as ops
from mainspring_schema.codec import pack
from mainspring_schema.explaining import Subject
from mainspring_schema.tasks import PlainTask
from tests.api.operators import SESSION, TASK, TURN, WORKER, FakeOperator

V1 = "/api/v1/durable"
TASK_ID, WORKER_ID = f"task_{TASK.hex}", f"worker_{WORKER.hex}"


async def test_open_tasks_are_listed_with_every_condition_passed_on(
    client: httpx.AsyncClient, operator: FakeOperator
) -> None:
    query = {
        "status": "leased",
        "activity_type": "tool",
        "queue": "default",
        "session_id": f"session_{SESSION.hex}",
        "workflow_id": f"turn_{TURN.hex}",
        "worker_id": WORKER_ID,
        "after": TASK_ID,
        "limit": "5",
    }

    answer = await client.get(f"{V1}/tasks", params=query)

    assert answer.status_code == 200, answer.text
    (task,) = answer.json()["data"]
    assert (task["id"], task["attempt"], task["worker_id"]) == (TASK_ID, 2, WORKER_ID)
    assert task["lease_until"] == "2025-11-22T08:26:50.000Z"
    assert answer.json()["next"] == TASK_ID
    assert operator.asked == [
        ops.ListTasks(
            org_id=DEFAULT_ORG_ID,
            status="leased",
            kind="tool",
            queue="default",
            session_id=SESSION,
            workflow_id=TURN,
            worker_id=WORKER,
            after=TASK,
            limit=5,
        )
    ]


@pytest.mark.parametrize("id_", [TASK_ID, f"exec_{TASK.hex}"])
async def test_a_task_shows_its_input_and_its_attempts_under_both_names(
    client: httpx.AsyncClient, id_: str
) -> None:
    answer = await client.get(f"{V1}/tasks/{id_}")

    assert answer.status_code == 200, answer.text
    assert answer.json()["input"] == {
        "tool": "add", "arguments": {"a": 1}, "tool_call_id": "call_1",
    }  # fmt: skip
    (attempt,) = answer.json()["attempts"]
    assert (attempt["attempt"], attempt["closing"]) == (1, "expired")
    assert (attempt["error_code"], attempt["error"]) == ("broken", "no disk")


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        (f"tasks/task_{'0' * 32}", 404, "not_found"),
        ("tasks/nonsense", 400, "invalid_id"),
        ("tasks?status=gone", 400, "invalid_parameter"),
        ("tasks?limit=101", 400, "invalid_parameter"),
        ("tasks?kind=tool&activity_type=reason", 400, "invalid_parameter"),
        ("workers?queue=a&worker_group=b", 400, "invalid_parameter"),
        (f"workers/worker_{'0' * 32}", 404, "not_found"),
        ("workers/nonsense", 400, "invalid_id"),
    ],
)
async def test_what_cannot_be_answered_says_why(
    client: httpx.AsyncClient, path: str, status: int, code: str
) -> None:
    answer = await client.get(f"{V1}/{path}")

    assert (answer.status_code, answer.json()["code"]) == (status, code)


async def test_workers_are_listed_and_read(client: httpx.AsyncClient) -> None:
    listed = await client.get(f"{V1}/workers", params={"status": "active"})
    one = await client.get(f"{V1}/workers/{WORKER_ID}")

    assert listed.json()["data"] == [one.json()]
    assert one.json()["accepting_tasks"] is True
    assert one.json()["capabilities"] == ["maths"]
    assert (one.json()["max_concurrency"], one.json()["current_load"]) == (4, 1)


async def test_workers_are_found_by_their_queue_under_either_name(
    client: httpx.AsyncClient,
) -> None:
    queue = (await client.get(f"{V1}/workers/{WORKER_ID}")).json()["queues"][0]
    found = [
        (await client.get(f"{V1}/workers", params={name: value})).json()["data"]
        for name in ("queue", "worker_group")
        for value in (queue, "another")
    ]

    assert [len(one) for one in found] == [1, 0, 1, 0]


async def test_a_worker_is_drained_and_resumed(client: httpx.AsyncClient) -> None:
    drained = await client.post(f"{V1}/workers/{WORKER_ID}/drain")
    resumed = await client.post(f"{V1}/workers/{WORKER_ID}/resume")

    assert drained.status_code == resumed.status_code == 200
    assert (drained.json()["status"], drained.json()["accepting_tasks"]) == ("draining", False)
    assert drained.json()["drained_at"] is not None
    assert (resumed.json()["status"], resumed.json()["drained_at"]) == ("active", None)


async def test_a_drain_under_a_key_is_ordered_once(
    client: httpx.AsyncClient, operator: FakeOperator
) -> None:
    answers = [
        await client.post(f"{V1}/workers/{WORKER_ID}/drain", headers={"Idempotency-Key": "k"})
        for _ in range(2)
    ]

    assert answers[0].json() == answers[1].json()
    assert operator.asked == [ops.DrainWorker(worker_id=WORKER)]


async def test_health_adds_up_and_says_whether_anybody_should_look(
    client: httpx.AsyncClient, operator: FakeOperator
) -> None:
    well = (await client.get(f"{V1}/health")).json()
    operator.health = ops.Health(
        at_ms=1, queues=(), workers=ops.WorkerCounts(
            active=0, silent=0, draining=0, slots=0, held=0
        ), replicas=1, sweeps_ms={}, dead_letters=2, cut=False, problems=("look",),
    )  # fmt: skip
    ill = (await client.get(f"{V1}/health")).json()

    assert (well["status"], well["load_percentage"], well["engines"]) == ("ok", 25.0, 2)
    assert well["tasks"] == {
        "ready": 3, "leased": 1, "delayed": 0, "waiting": 0, "at_least": False,
    }  # fmt: skip
    assert well["queues"][0]["oldest_ready_seconds"] == 1.5
    assert well["queues"][0]["expected_wait_seconds"] is None
    assert (ill["status"], ill["problems"], ill["dlq_size"]) == ("attention", ["look"], 2)
    assert ill["load_percentage"] == 0


async def test_an_engine_that_is_away_is_503(
    client: httpx.AsyncClient, operator: FakeOperator
) -> None:
    operator.away = True

    answer = await client.get(f"{V1}/health")

    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "2"


# ── explanations ────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("id_", "subject", "asked"),
    [
        (f"session_{SESSION.hex}", "session", SESSION),
        (f"turn_{TURN.hex}", "workflow", TURN),
        (f"workflow_{TURN.hex}", "workflow", TURN),
        (TASK_ID, "task", TASK),
        (f"exec_{TASK.hex}", "task", TASK),
    ],
)
async def test_anything_is_explained_by_its_id(
    client: httpx.AsyncClient, operator: FakeOperator, id_: str, subject: Subject, asked: UUID
) -> None:
    answer = await client.get(f"{V1}/explain/{id_}")

    assert answer.status_code == 200, answer.text
    assert operator.asked == [ops.Explain(org_id=DEFAULT_ORG_ID, subject=subject, id=asked)]
    assert answer.json() == {
        "id": id_,
        "session_id": f"session_{SESSION.hex}",
        "workflow_id": f"turn_{TURN.hex}",
        "state": "reason",
        "moving": False,
        "summary": "the model call waits for a worker",
        "reasons": [
            {
                "code": "no_worker",
                "text": "the model call waits for a worker",
                "advice": "Start one.",
                "moving": False,
                "task_id": TASK_ID,
                "worker_id": WORKER_ID,
                "since": "2025-11-22T08:26:40.000Z",
                "until": None,
            }
        ],
    }


@pytest.mark.parametrize(
    ("id_", "status"),
    [(f"session_{'0' * 32}", 404), (WORKER_ID, 400), ("nonsense", 400), ("session_x", 400)],
)
async def test_what_cannot_be_explained_says_why(
    client: httpx.AsyncClient, id_: str, status: int
) -> None:
    assert (await client.get(f"{V1}/explain/{id_}")).status_code == status


async def test_what_names_nothing_that_can_be_explained_says_which_ids_do(
    client: httpx.AsyncClient,
) -> None:
    refused = (await client.get(f"{V1}/explain/nonsense")).json()

    assert refused["detail"].startswith("'nonsense' is no session or turn or workflow or task")
    assert refused["detail"].endswith(
        "one of these words, an underscore and 32 lowercase hex digits"
    )


async def test_ended_tasks_are_asked_for_by_queue_alone(
    client: httpx.AsyncClient, operator: FakeOperator
) -> None:
    answer = await client.get(f"{V1}/tasks", params={"status": "closed", "queue": "q"})
    refused = await client.get(f"{V1}/tasks", params={"status": "closed", "worker_id": WORKER_ID})

    assert answer.status_code == 200, answer.text
    assert operator.asked == [
        ops.ListTasks(org_id=DEFAULT_ORG_ID, status="closed", queue="q", limit=20)
    ]
    assert refused.status_code == 400, refused.text


@pytest.mark.parametrize("number", ["1e999", "9" * 5_000])
@pytest.mark.parametrize("path", ["tasks", "dead-letters"])
async def test_an_input_may_have_numbers_that_nobody_here_could_read(
    client: httpx.AsyncClient, operator: FakeOperator, path: str, number: str
) -> None:
    operator.payload = pack(PlainTask(task_type="add", input=f"[{number}]".encode()))

    answer = await client.get(f"{V1}/{path}/{TASK_ID}")

    assert answer.status_code == 200
    assert f'"arguments":[{number}]' in answer.text
