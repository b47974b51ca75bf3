"""/sessions/{id}/pending, tool-approvals and question-answers: what waits for a person"""

from mainspring_api.adapters.http.routes.sessions import session_id_of
from mainspring_api.adapters.http.routing import (
    Call,
    NoBody,
    NoQuery,
    Reply,
    RouteTable,
    json_answer,
    json_reply,
    reply_of,
)
from mainspring_api.adapters.http.wire.appeals import (
    AnswersBody,
    AnswersView,
    DecisionsBody,
    DecisionsView,
    PendingView,
    answers_view,
    decisions_view,
    given_answers,
    pending_view,
    rulings,
)
from mainspring_api.usecases import appeals
from mainspring_api.usecases.appeals import Place
from mainspring_api.usecases.once import Answer, once_elsewhere

table = RouteTable("sessions")
_SESSION = "/sessions/{session_id:str}"


def place_of(call: Call[object, object]) -> Place:
    services = call.services
    return Place(
        store=services.store,
        log=services.log,
        control=services.control,
        org_id=call.org_id,
        session_id=session_id_of(call),
    )


@table.route("GET", f"{_SESSION}/pending", answer=PendingView)
async def list_pending(call: Call[NoBody, NoQuery]) -> Reply:
    """The tool calls that wait for leave, and the questions that wait for an answer."""
    services, id_ = call.services, session_id_of(call)
    return json_reply(
        pending_view(await appeals.pending(services.store, services.log, call.org_id, id_))
    )


@table.route(
    "POST",
    f"{_SESSION}/tool-approvals",
    body=DecisionsBody,
    answer=DecisionsView,
    other_statuses=(409,),
)
async def decide_tool_calls(call: Call[DecisionsBody, NoQuery]) -> Reply:
    """Allows or rejects tool calls that are held back: all that are named, or none."""
    place, wanted = place_of(call), rulings(call.body)

    async def work() -> Answer:
        receipt = await appeals.decide(place, call.services.registry, wanted)
        return json_answer(decisions_view(receipt), status=200)

    return reply_of(await once_elsewhere(call.services.store, call.org_id, call.key, work))


@table.route(
    "POST",
    f"{_SESSION}/question-answers",
    body=AnswersBody,
    answer=AnswersView,
    other_statuses=(409,),
)
async def answer_questions(call: Call[AnswersBody, NoQuery]) -> Reply:
    """Answers the questions of one call, or declines to."""
    place, body = place_of(call), call.body

    async def work() -> Answer:
        receipt = await appeals.answer(place, body.tool_call_id, body.status, given_answers(body))
        return json_answer(answers_view(receipt), status=200)

    return reply_of(await once_elsewhere(call.services.store, call.org_id, call.key, work))
