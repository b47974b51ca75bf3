"""Budgets over the wire: made, found, changed, topped up, gone."""

from typing import cast

import httpx
import pytest

from mainspring_kernel.ids import DEFAULT_ORG_ID, Prefix, to_wire
from tests.api.operators import FakeOperator
from tests.api.test_resources import V1, made_agent, made_session

Json = dict[str, object]
ORG = to_wire(Prefix.ORG, DEFAULT_ORG_ID)
BUDGETS = f"{V1}/budgets"


async def made(client: httpx.AsyncClient, **fields: object) -> Json:
    body = {"subject_type": "org", "subject_id": ORG, "currency": "tokens", "limit": 100}
    answer = await client.post(BUDGETS, json=body | fields)
    assert answer.status_code == 201, answer.text
    return cast("Json", answer.json())


async def test_a_budget_is_made_read_changed_topped_up_and_gone(client: httpx.AsyncClient) -> None:
    budget = await made(client, soft_limit=80.5, metadata={"team": "a"})
    at = f"{BUDGETS}/{budget['id']}"

    read = (await client.get(at)).json()
    patch = {"limit": 50, "soft_limit": None, "status": "paused", "metadata": {"team": "b"}}
    changed = (await client.patch(at, json=patch)).json()
    topped = (await client.post(f"{at}/top-up", json={"amount": 2.5, "description": "x"})).json()
    ledger = (await client.get(f"{at}/ledger")).json()
    gone = [(await client.delete(at)).status_code, (await client.get(at)).status_code]

    assert read == budget
    assert (budget["subject_type"], budget["balance"], budget["soft_limit"]) == (
        "organization", 100, 80.5,
    )  # fmt: skip
    assert (changed["limit"], changed["balance"], changed["soft_limit"]) == (50, 50, None)
    assert (changed["status"], changed["metadata"]) == ("paused", {"team": "b"})
    assert topped["balance"] == 52.5
    assert [(one["meter_source"], one["amount"]) for one in ledger] == [
        ("top_up", 2.5), ("limit", 100),
    ]  # fmt: skip
    assert gone == [204, 404]


async def test_a_session_finds_its_own_budgets_and_those_above_it(
    client: httpx.AsyncClient,
) -> None:
    agent = await made_agent(client)
    session = await made_session(client, agent_id=agent["id"])
    other = await made_session(client)
    subjects = [("session", session["id"]), ("agent", agent["id"]), ("organization", ORG)]
    mine = [await made(client, subject_type=one, subject_id=id_) for one, id_ in subjects]
    await made(client, subject_type="session", subject_id=other["id"])

    found = (await client.get(f"{V1}/sessions/{session['id']}/budgets")).json()
    listed = await client.get(BUDGETS, params={"subject_type": "session"})
    one = await client.get(
        BUDGETS, params={"subject_type": "session", "subject_id": str(session["id"])}
    )

    assert {budget["id"] for budget in found} == {budget["id"] for budget in mine}
    assert len(listed.json()) == 2
    assert [budget["id"] for budget in one.json()] == [mine[0]["id"]]


@pytest.mark.parametrize(
    "period",
    [
        {"type": "duration", "seconds": 3600},
        {"type": "rolling", "window": "5h"},
        {"type": "calendar", "unit": "month"},
    ],
)
async def test_a_budget_may_renew(client: httpx.AsyncClient, period: Json) -> None:
    budget = await made(client, limit=0, period=period)

    check = (await client.get(f"{BUDGETS}/{budget['id']}/check")).json()

    told = cast("Json", budget["period"])
    assert {name: value for name, value in told.items() if value is not None} == period
    assert (await client.get(f"{BUDGETS}/{budget['id']}")).json() == budget
    assert str(budget["period_started_at"]) < str(budget["renews_at"])
    assert check["error_fields"] == {"renews_at": budget["renews_at"]}


async def test_everybody_is_one_user_until_an_application_names_its_own(
    client: httpx.AsyncClient,
) -> None:
    session = await made_session(client)
    user = session["owner_principal_id"]
    mine = await made(client, subject_type="user", subject_id=user)
    other = await made(client, subject_type="user", subject_id="vuser_" + "7" * 32)

    found = (await client.get(f"{V1}/sessions/{session['id']}/budgets")).json()
    listed = await client.get(BUDGETS, params={"subject_type": "user", "subject_id": str(user)})

    assert [one["id"] for one in found] == [one["id"] for one in listed.json()] == [mine["id"]]
    assert (mine["subject_id"], other["subject_id"]) == (user, "vuser_" + "7" * 32)


@pytest.mark.parametrize(
    ("fields", "action"),
    [
        ({"limit": 100}, "allow"),
        ({"limit": 100, "soft_limit": 0}, "warn"),
        ({"limit": 0}, "pause"),
    ],
)
async def test_a_check_says_whether_a_call_may_begin(
    client: httpx.AsyncClient, fields: Json, action: str
) -> None:
    session = await made_session(client)
    budget = await made(client, subject_type="session", subject_id=session["id"], **fields)

    alone = (await client.get(f"{BUDGETS}/{budget['id']}/check")).json()
    checked = (await client.get(f"{V1}/sessions/{session['id']}/budget-check")).json()

    assert alone["action"] == checked["action"] == action


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"limit": -1}, 422),
        ({"limit": 1e13}, 422),
        ({"soft_limit": -1}, 422),
        ({"limit": 1e-7}, 422),
        ({"soft_limit": 1e-7}, 422),
        ({"soft_limit": 100.5}, 422),
        ({"currency": "shells"}, 422),
        ({"subject_type": "team"}, 422),
        ({"subject_type": "user"}, 400),
        ({"subject_type": "user", "subject_id": "user_" + "0" * 32}, 400),
        ({"period": {"type": "rolling", "seconds": 60}}, 422),
        ({"period": {"type": "rolling", "window": "0h"}}, 422),
        ({"period": {"type": "rolling", "window": "a week"}}, 422),
        ({"period": {"type": "rolling", "window": "999999w"}}, 422),
        ({"period": {"type": "duration"}}, 422),
        ({"period": {"type": "duration", "seconds": 0}}, 422),
        ({"period": {"type": "calendar", "unit": "fortnight"}}, 422),
        ({"period": {"type": "calendar", "unit": "day", "seconds": 5}}, 422),
        ({"subject_id": "org_1"}, 400),
        ({"subject_type": "session", "subject_id": "session_" + "0" * 32}, 404),
        ({"subject_type": "agent", "subject_id": "agent_" + "0" * 32}, 404),
        ({"subject_id": "org_" + "0" * 32}, 404),
    ],
)
async def test_what_is_no_budget_is_refused(
    client: httpx.AsyncClient, operator: FakeOperator, fields: Json, status: int
) -> None:
    body = {"subject_type": "org", "subject_id": ORG, "currency": "tokens", "limit": 100}

    refused = await client.post(BUDGETS, json=body | fields)

    assert refused.status_code == status, refused.text
    assert operator.budgets.kept == {}


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("", {"limit": -0.5}),
        ("", {"soft_limit": -1}),
        ("", {"limit": 1e-7}),
        ("", {"soft_limit": 1e-7}),
        ("", {"soft_limit": 100.5}),
        ("", {"limit": 50, "soft_limit": 60}),
        ("", {"status": "exhausted"}),
        ("/top-up", {"amount": 0}),
        ("/top-up", {"amount": -3}),
        ("/top-up", {"amount": 1e-7}),
    ],
)
async def test_what_is_no_change_is_refused(
    client: httpx.AsyncClient, path: str, body: Json
) -> None:
    budget = await made(client)
    at = f"{BUDGETS}/{budget['id']}"

    refused = await client.request("POST" if path else "PATCH", f"{at}{path}", json=body)

    assert refused.status_code == 422, refused.text
    assert (await client.get(at)).json() == budget


async def test_an_id_alone_is_no_subject(client: httpx.AsyncClient) -> None:
    refused = await client.get(BUDGETS, params={"subject_id": ORG})

    assert refused.status_code == 422


async def test_only_a_session_that_is_there_is_resumed(
    client: httpx.AsyncClient, operator: FakeOperator
) -> None:
    session = await made_session(client)

    unknown = await client.post(f"{V1}/sessions/session_{'0' * 32}/resume")
    resumed = await client.post(f"{V1}/sessions/{session['id']}/resume", json={})

    assert unknown.status_code == 404
    assert resumed.json() == {"resumed_budgets": 1, "session_id": session["id"]}
    assert len(operator.budgets.resumed) == 1


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"limit": 1e-7}, "limit"),
        ({"soft_limit": 1e-7}, "soft_limit"),
        ({"soft_limit": 101}, "soft_limit"),
    ],
)
async def test_an_amount_that_is_refused_is_named(
    client: httpx.AsyncClient, fields: Json, field: str
) -> None:
    body = {"subject_type": "org", "subject_id": ORG, "currency": "usd", "limit": 100}

    refused = await client.post(BUDGETS, json=body | fields)

    assert (refused.status_code, refused.json()["code"]) == (422, "validation_failed")
    assert refused.json()["detail"].startswith(f"`{field}`")


async def test_what_fits_the_limit_is_taken_and_the_limit_alone_may_fall_below_it(
    client: httpx.AsyncClient,
) -> None:
    budget = await made(client, limit=1e-6, soft_limit=1e-6)
    at = f"{BUDGETS}/{budget['id']}"

    raised = await client.patch(at, json={"limit": 200, "soft_limit": 150})
    warned = await client.patch(at, json={"soft_limit": 200})
    lowered = await client.patch(at, json={"limit": 10})

    assert [one.status_code for one in (raised, warned, lowered)] == [200, 200, 200]
    assert (lowered.json()["limit"], lowered.json()["soft_limit"]) == (10, 200)
