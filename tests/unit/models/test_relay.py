"""The relay asks for one call and answers with what came of it."""

import pytest

from mainspring_harness.conversation import ToolStatus
from mainspring_worker.adapters.models.relay import Relay
from mainspring_worker.ports.model import Done, RawToolCall
from tests.unit.models.calls import answered, done, failure, request, returned, said

CALL = '{"tool":"bash","arguments":{"commands":"make"}}'


async def test_the_first_answer_is_the_call_that_the_message_names() -> None:
    answer = await done(Relay(), request(said(CALL)))

    assert answer.tool_calls == (RawToolCall(name="bash", arguments='{"commands":"make"}'),)
    assert answer.text == ""


async def test_the_second_answer_is_its_result() -> None:
    reply = returned("bash", "built")

    answer = await done(Relay(), request(said(CALL), answered("bash"), reply, iteration=2))

    assert answer == Done(text="built", finish_reason="stop")


async def test_a_turn_in_place_of_one_that_died_calls_again_and_answers_with_the_new_result() -> (
    None
):
    before = (said(CALL), answered("bash"), returned("bash", "the turn failed", "cancelled"))

    asked = await done(Relay(), request(*before))
    again = (*before, answered("bash"), returned("bash", "built"))
    answer = await done(Relay(), request(*again, iteration=2))

    assert [call.name for call in asked.tool_calls] == ["bash"]
    assert answer == Done(text="built", finish_reason="stop")


@pytest.mark.parametrize("status", ["error", "timeout", "cancelled", "unknown"])
async def test_a_call_without_success_fails_and_says_why(status: ToolStatus) -> None:
    reply = returned("bash", "no room", status)

    refused = await failure(Relay(), request(said(CALL), answered("bash"), reply, iteration=2))

    assert (refused.failure.error_class, refused.failure.code) == (
        "invalid_request",
        "background_call_failed",
    )
    assert refused.failure.message == "no room"


@pytest.mark.parametrize("text", ["Hello.", '{"tool":"bash"}', "[]", ""])
async def test_a_message_that_names_no_call_fails(text: str) -> None:
    refused = await failure(Relay(), request(said(text)))

    assert refused.failure.code == "background_call_failed"
