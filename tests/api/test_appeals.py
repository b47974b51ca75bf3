"""What waits for a person: shown, decided once, and told the same again."""

import httpx
import pytest

from mainspring_kernel.ids import DEFAULT_ORG_ID
from mainspring_schema.appeals import AnswerAppeals, Ruling
from tests.api.appeals_backend import EXPIRES
from tests.api.backend import Backend
from tests.api.test_resources import V1, made_agent, made_session
from tests.api.watcher import uuid_of

Json = dict[str, object]
CALL, OTHER = "call_1", "call_2"


@pytest.fixture
async def session(client: httpx.AsyncClient) -> Json:
    return await made_session(client, capabilities=[{"ref": "test_math"}])


def at(session: Json, what: str) -> str:
    return f"{V1}/sessions/{session['id']}/{what}"


def decision(word: str, call: str = CALL, **more: object) -> Json:
    return {"tool_call_id": call, "decision": word, **more}


async def decide(client: httpx.AsyncClient, session: Json, *decisions: Json) -> httpx.Response:
    return await client.post(at(session, "tool-approvals"), json={"decisions": list(decisions)})


async def reply(client: httpx.AsyncClient, session: Json, **body: object) -> httpx.Response:
    return await client.post(at(session, "question-answers"), json=body)


async def test_what_waits_is_shown_until_it_is_decided(
    client: httpx.AsyncClient, backend: Backend, session: Json
) -> None:
    backend.ask_leave(uuid_of(session), CALL)
    backend.ask_question(uuid_of(session), OTHER)

    before = (await client.get(at(session, "pending"))).json()
    decided = await decide(client, session, decision("allow"))
    answered = await reply(client, session, answers=[{"id": "q", "other_text": "this"}])
    after = (await client.get(at(session, "pending"))).json()

    (waiting,), (asked,) = before["pending_approvals"], before["pending_questions"]
    assert (waiting["tool"], waiting["expires_at"]) == ("add", EXPIRES)
    assert (asked["tool_call_id"], asked["questions"][0]["id"]) == (OTHER, "q")
    assert decided.json() == {
        "resolved": [{"tool_call_id": CALL, "tool": "add", "outcome": "allowed"}],
        "status": "active",
    }
    assert answered.json() == {
        "status": "answered", "answered_by": "user", "session_status": "active",
    }  # fmt: skip
    assert after == {"pending_approvals": [], "pending_questions": []}


async def test_what_waits_in_a_session_does_not_wait_in_its_fork(
    client: httpx.AsyncClient, backend: Backend, session: Json
) -> None:
    backend.ask_leave(uuid_of(session), CALL)
    backend.ask_question(uuid_of(session), OTHER)
    backend.append(uuid_of(session), "session.forked", {"session_id": "of", "sequence": 1})

    pending = (await client.get(at(session, "pending"))).json()
    refused = [
        (await decide(client, session, decision("allow"))).status_code,
        (await reply(client, session, answers=[{"id": "q", "other_text": "this"}])).status_code,
    ]

    assert pending == {"pending_approvals": [], "pending_questions": []}
    assert refused == [404, 409]


async def test_a_decision_that_comes_again_is_told_the_same_and_another_one_is_refused(
    client: httpx.AsyncClient, backend: Backend, session: Json
) -> None:
    backend.ask_leave(uuid_of(session), CALL)

    first = await decide(client, session, decision("allow", arguments={"a": 2, "b": 2}))
    again = await decide(client, session, decision("allow", arguments={"a": 2, "b": 2}))
    edited = await decide(client, session, decision("allow"))
    other = await decide(client, session, decision("reject"))

    assert first.json()["resolved"] == again.json()["resolved"]
    assert [one.status_code for one in (edited, other)] == [409, 409]
    assert other.json()["code"] == "not_awaited"


async def test_of_two_people_the_second_is_told_what_the_first_decided(
    client: httpx.AsyncClient, backend: Backend, session: Json
) -> None:
    id_ = uuid_of(session)
    outcomes: list[int] = []
    for word in ("allow", "reject"):
        call = f"call_{word}"
        backend.ask_leave(id_, call)
        first = Ruling(tool_call_id=call, decision="allow")
        backend.meanwhile = AnswerAppeals(org_id=DEFAULT_ORG_ID, session_id=id_, rulings=(first,))
        outcomes.append((await decide(client, session, decision(word, call))).status_code)

    assert outcomes == [200, 409]


async def test_part_of_what_waits_may_be_decided_and_a_wrong_id_refuses_all(
    client: httpx.AsyncClient, backend: Backend, session: Json
) -> None:
    elsewhere = await made_session(client)
    backend.ask_leave(uuid_of(session), CALL)
    backend.ask_leave(uuid_of(session), OTHER)
    backend.ask_leave(uuid_of(elsewhere), "call_3")

    strange = await decide(client, session, decision("allow"), decision("allow", "call_3"))
    left = (await client.get(at(session, "pending"))).json()["pending_approvals"]
    part = await decide(client, session, decision("allow", OTHER))

    assert (strange.status_code, strange.json()["code"]) == (404, "not_found")
    assert len(left) == 2
    assert part.status_code == 200
    assert list(backend.appeals) == [CALL, "call_3"]


@pytest.mark.parametrize(
    ("decisions", "status"),
    [
        ([decision("allow"), decision("reject")], 422),
        ([decision("reject", arguments={})], 422),
        ([decision("allow", arguments={"a": "one"})], 422),
        ([decision("maybe")], 422),
        ([], 422),
    ],
)
async def test_what_is_no_decision_changes_nothing(
    client: httpx.AsyncClient,
    backend: Backend,
    session: Json,
    decisions: list[Json],
    status: int,
) -> None:
    backend.ask_leave(uuid_of(session), CALL)

    refused = await decide(client, session, *decisions)

    assert (refused.status_code, list(backend.appeals)) == (status, [CALL])


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"answers": []}, 422),
        ({"answers": [{"id": "q", "selected": ["x"]}]}, 422),
        ({"answers": [{"id": "z", "other_text": "x"}]}, 422),
        ({"status": "declined", "answers": [{"id": "q", "other_text": "x"}]}, 422),
        ({"status": "timed_out"}, 422),
        ({"tool_call_id": "call_9", "status": "declined"}, 404),
    ],
)
async def test_what_is_no_answer_changes_nothing(
    client: httpx.AsyncClient, backend: Backend, session: Json, body: Json, status: int
) -> None:
    backend.ask_question(uuid_of(session), CALL)

    refused = await reply(client, session, **body)

    assert (refused.status_code, list(backend.appeals)) == (status, [CALL])


async def test_an_answer_that_comes_again_is_told_the_same_and_another_one_is_refused(
    client: httpx.AsyncClient, backend: Backend, session: Json
) -> None:
    backend.ask_question(uuid_of(session), CALL)

    nobody = await reply(client, await made_session(client), status="declined")
    first = await reply(client, session, status="declined")
    again = await reply(client, session, tool_call_id=CALL, status="declined")
    other = await reply(client, session, tool_call_id=CALL, status="cancelled")

    assert (first.status_code, again.status_code) == (200, 200)
    assert first.json()["status"] == again.json()["status"] == "declined"
    assert (nobody.status_code, other.status_code) == (409, 409)


async def test_of_several_questions_one_must_be_named(
    client: httpx.AsyncClient, backend: Backend, session: Json
) -> None:
    for call in (CALL, OTHER):
        backend.ask_question(uuid_of(session), call)

    unnamed = await reply(client, session, status="declined")
    named = await reply(client, session, tool_call_id=OTHER, status="declined")

    assert (unnamed.status_code, named.status_code) == (422, 200)


async def test_a_channel_lets_its_callers_decide_only_where_it_says_so(
    client: httpx.AsyncClient, backend: Backend
) -> None:
    agent = await made_agent(client)
    statuses: list[int] = []
    for delegates in (False, True):
        body = {"delegates_approvals": delegates}
        made = (await client.post(f"{V1}/agents/{agent['id']}/channels", json=body)).json()
        headers = {"Authorization": f"Bearer {made['keys'][0]['key']}"}
        door = f"{V1}/channels/{made['id']}/sessions"
        session = (await client.post(door, json={}, headers=headers)).json()
        backend.ask_leave(uuid_of(session), f"call_{delegates}")
        path = f"{door}/{session['id']}/tool-approvals"
        asked = {"decisions": [decision("allow", f"call_{delegates}")]}
        shown = (await client.get(f"{door}/{session['id']}", headers=headers)).json()
        statuses.append((await client.post(path, json=asked, headers=headers)).status_code)
        assert [one["tool"] for one in shown["pending_approvals"]] == ["add"]

    assert statuses == [403, 200]


async def test_callers_of_a_channel_name_no_secrets(
    client: httpx.AsyncClient, backend: Backend
) -> None:
    agent = await made_agent(client)
    made = (await client.post(f"{V1}/agents/{agent['id']}/channels", json={})).json()
    headers = {"Authorization": f"Bearer {made['keys'][0]['key']}"}
    door = f"{V1}/channels/{made['id']}/sessions"
    session = (await client.post(door, json={}, headers=headers)).json()
    backend.ask_question(uuid_of(session), CALL)
    path = f"{door}/{session['id']}/question-answers"

    secret = {"answers": [{"id": "q", "secret_ref": "TOKEN"}]}
    refused = await client.post(path, json=secret, headers=headers)
    words = {"answers": [{"id": "q", "other_text": "blue"}]}
    taken = await client.post(path, json=words, headers=headers)

    assert (refused.status_code, taken.status_code) == (400, 200)


async def test_a_secret_is_answered_by_the_name_of_one_that_the_session_has(
    client: httpx.AsyncClient, backend: Backend, session: Json
) -> None:
    backend.ask_question(uuid_of(session), CALL, "secret")
    await client.put(at(session, "storage/secrets"), json={"secrets": {"TOKEN": "hush"}})

    refused = await reply(client, session, answers=[{"id": "q", "secret_ref": "TOKNE"}])
    taken = await reply(client, session, answers=[{"id": "q", "secret_ref": "TOKEN"}])
    await client.delete(at(session, "storage/secrets/TOKEN"))
    again = await reply(
        client, session, tool_call_id=CALL, answers=[{"id": "q", "secret_ref": "TOKEN"}]
    )

    assert (refused.status_code, refused.json()["code"]) == (422, "validation_failed")
    assert refused.json()["detail"] == "'q': the session has no secret 'TOKNE'"
    assert (taken.status_code, again.status_code) == (200, 200)
    assert again.json()["status"] == "answered"
