"""Requests that bring no body: as if they had brought an object without members."""

from collections.abc import Sequence

import httpx
import msgspec
import pytest

from mainspring_api.adapters.http import openapi
from mainspring_api.adapters.http.app import all_routes
from mainspring_api.adapters.http.routing import PARAMETER, NoBody, Route, TextBody
from mainspring_api.adapters.http.wire.conversation import StreamQuery
from tests.api.operators import TASK
from tests.api.test_resources import V1, made_session

WRITTEN = [route for route in all_routes() if route.body not in {NoBody, TextBody}]
NO_TYPE: dict[str, str] = {}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
"""What curl says of a body that it was given nothing for."""
JSON = {"Content-Type": "application/json"}


class Body(msgspec.Struct):
    required: bool


class Operation(msgspec.Struct):
    body: Body | None = msgspec.field(default=None, name="requestBody")


class Document(msgspec.Struct):
    paths: dict[str, dict[str, Operation]]


DOCUMENT = msgspec.convert(openapi.document(all_routes(), StreamQuery), Document)


class Problem(msgspec.Struct):
    status: int = 200
    code: str = ""
    detail: str = ""


async def told(client: httpx.AsyncClient, method: str, path: str, names: Sequence[str]) -> Problem:
    """How nothing is answered where nothing that the path names is there."""
    path = path.format(**dict.fromkeys(names, "0" * 32))
    answer = await client.request(method, path, headers=FORM)
    return msgspec.json.decode(answer.content, type=Problem) if answer.is_error else Problem()


@pytest.mark.parametrize("headers", [NO_TYPE, FORM, JSON])
@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("sessions", 201),
        (f"durable/tasks/task_{TASK.hex}/cancel", 200),
        ("durable/dead-letters/requeue", 200),
        ("durable/circuit-breakers/circuit:x/open", 200),
    ],
)
async def test_what_asks_for_no_member_is_served_without_a_body(
    client: httpx.AsyncClient, path: str, status: int, headers: dict[str, str]
) -> None:
    answer = await client.post(f"{V1}/{path}", headers=headers)

    assert answer.status_code == status, answer.text


async def test_a_change_of_nothing_needs_no_body(client: httpx.AsyncClient) -> None:
    session = await made_session(client, title="Kept")

    answer = await client.patch(f"{V1}/sessions/{session['id']}")

    assert (answer.status_code, answer.json()["title"]) == (200, "Kept")


@pytest.mark.parametrize("route", WRITTEN, ids=lambda route: route.operation_id)
async def test_the_document_requires_a_body_where_a_member_must_be_there(
    client: httpx.AsyncClient, route: Route
) -> None:
    path = PARAMETER.sub(r"{\1}", route.path)

    problem = await told(client, route.method, path, route.parameters)

    missing = problem.status == 422 and "missing required field" in problem.detail
    assert DOCUMENT.paths[path][route.method.lower()].body == Body(required=missing)
    assert problem.code not in {"malformed_body", "unsupported_media_type"}


async def test_a_missing_member_is_named(client: httpx.AsyncClient) -> None:
    answer = await client.post(f"{V1}/workspaces", headers=FORM)

    assert (answer.status_code, answer.json()["code"]) == (422, "validation_failed")
    assert "`name`" in answer.json()["detail"]


@pytest.mark.parametrize("content", [b" ", b"\n", b"title=x"])
async def test_a_body_that_is_no_json_is_no_missing_body(
    client: httpx.AsyncClient, content: bytes
) -> None:
    answer = await client.post(f"{V1}/sessions", content=content, headers=JSON)

    assert (answer.status_code, answer.json()["code"]) == (400, "malformed_body")


async def test_a_key_makes_no_difference_between_no_body_and_no_members(
    client: httpx.AsyncClient,
) -> None:
    headers = {"Idempotency-Key": "one"}

    first = await client.post(f"{V1}/sessions", headers=headers)
    again = await client.post(f"{V1}/sessions", json={}, headers=headers)

    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json() == first.json()
