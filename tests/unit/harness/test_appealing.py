from uuid import UUID

import pytest

from mainspring_harness import questions
from mainspring_harness.appealing import with_appeals
from mainspring_harness.builtin import builtin_registry
from mainspring_harness.questions import Given, Question
from mainspring_harness.toolset import AskedCall, resolve_calls, tool_set
from mainspring_schema.agents import CapabilityRef, ToolDefinition
from mainspring_schema.tasks import ToolCall

ASKED = '{"questions": [{"id": "a", "question": "Which?", "type": "text"}]}'


def checked(
    name: str, arguments: str, *refs: CapabilityRef, rules: dict[str, str] | None = None
) -> ToolCall:
    own = (ToolDefinition(name="pay"), ToolDefinition(name="show", kind="client_side"))
    applied = builtin_registry().resolve(refs)
    tools = tool_set(own, applied)
    calls = resolve_calls([AskedCall(name, arguments)], tools, turn_id=UUID(int=1), iteration=1)
    (call,) = with_appeals(calls, tools, applied, rules or {})
    return call


def approving(**config: object) -> CapabilityRef:
    return CapabilityRef(ref="tool_approval", config=config)


FILES = CapabilityRef(ref="session_file_system")
READ, DELETE = ("read_file", '{"path": "/a"}'), ("delete_file", '{"path": "/a"}')


def test_no_call_waits_where_nobody_asked_for_that() -> None:
    assert checked("pay", "{}").appeal is None


@pytest.mark.parametrize(
    ("mode", "waiting"),
    [
        ("off", set[str]()),
        ("normal", {"pay", "delete_file"}),
        ("protective", {"pay", "delete_file", "write_file"}),
    ],
)
def test_the_mode_says_which_tools_wait(mode: str, waiting: set[str]) -> None:
    write = ("write_file", '{"path": "/a", "content": "x"}')
    calls = [
        checked(name, arguments, FILES, approving(mode=mode))
        for name, arguments in (("pay", "{}"), READ, DELETE, write, ("show", "{}"))
    ]

    assert {call.name for call in calls if call.appeal == "approval"} == waiting
    assert [call.problem for call in calls] == [None] * 5


def test_a_tool_has_its_own_rule_whatever_the_mode_says() -> None:
    rules = {"read_file": "ask", "pay": "allow", "delete_file": "reject"}

    read, pay, delete = (
        checked(name, arguments, FILES, approving(mode="off", tools=rules, expires_seconds=5))
        for name, arguments in (READ, ("pay", "{}"), DELETE)
    )

    assert (read.appeal, read.expires_s) == ("approval", 5)
    assert pay.appeal is None
    assert "rejected" in (delete.problem or "")


def test_what_a_person_decided_for_good_needs_no_asking() -> None:
    allowed = checked("pay", "{}", approving(), rules={"pay": "allow_always"})
    refused = checked("pay", "{}", approving(), rules={"pay": "reject_always"})
    forbidden = checked(
        "pay", "{}", approving(tools={"pay": "reject"}), rules={"pay": "allow_always"}
    )

    assert (allowed.appeal, allowed.problem) == (None, None)
    assert "rejected" in (refused.problem or "")
    assert "rejected" in (forbidden.problem or "")


def test_a_question_waits_also_where_every_tool_is_allowed() -> None:
    ask = CapabilityRef(ref="ask_user", config={"timeout_seconds": 7})

    call = checked("ask_user", ASKED, ask, approving(mode="protective"))

    assert (call.appeal, call.expires_s) == ("question", 7)
    assert call.on_silence == {"status": "timed_out", "answered_by": "timeout", "answers": []}


@pytest.mark.parametrize(
    "asked",
    [
        '[{"id": "a", "question": "?", "type": "choice", "options": ["one"]}]',
        '[{"id": "a", "question": "?", "type": "choice", "options": ["x", "y"], "default": "z"}]',
        '[{"id": "a", "question": "?", "type": "text"}, {"id": "a", "question": "!",'
        ' "type": "text"}]',
    ],
)
def test_a_question_that_nobody_can_answer_goes_back_to_the_model(asked: str) -> None:
    call = checked("ask_user", f'{{"questions": {asked}}}', CapabilityRef(ref="ask_user"))

    assert call.appeal is None
    assert (call.problem or "").startswith("invalid arguments")


CHOICE = Question(id="c", question="?", type="choice", options=("x", "y"), default="x")
OPEN = Question(id="c", question="?", type="choice", options=("x", "y"), allow_other=True)
MANY = Question(id="c", question="?", type="choice", options=("x", "y"), multiple=True)
TEXT = Question(id="t", question="?", type="text", default="none")
SECRET = Question(id="s", question="?", type="secret")


@pytest.mark.parametrize(
    ("question", "given", "fits"),
    [
        (CHOICE, Given(id="c", selected=("x",)), True),
        (CHOICE, Given(id="c", selected=("z",)), False),
        (CHOICE, Given(id="c", selected=("x", "y")), False),
        (CHOICE, Given(id="c", other_text="z"), False),
        (CHOICE, Given(id="c"), False),
        (OPEN, Given(id="c", other_text="z"), True),
        (MANY, Given(id="c", selected=("x", "y")), True),
        (TEXT, Given(id="t", other_text="words"), True),
        (TEXT, Given(id="t", selected=("x",)), False),
        (TEXT, Given(id="t", secret_ref="TOKEN"), False),
        (SECRET, Given(id="s", secret_ref="TOKEN"), True),
        (SECRET, Given(id="s", other_text="hunter2"), False),
        (SECRET, Given(id="other", secret_ref="TOKEN"), False),
    ],
)
def test_answers_fit_their_questions(question: Question, given: Given, *, fits: bool) -> None:
    assert (questions.misfit((question,), (given,)) is None) is fits


def test_every_question_has_one_answer() -> None:
    once = Given(id="t", other_text="x")

    assert questions.misfit((TEXT, SECRET), (once,)) == "not answered: s"
    assert questions.misfit((TEXT,), (once, once)) == "a question has two answers"


def test_silence_says_the_defaults() -> None:
    asked = {"questions": [CHOICE, TEXT, SECRET]}

    assert questions.silence(asked) == {
        "status": "timed_out",
        "answered_by": "timeout",
        "answers": [{"id": "c", "selected": ["x"]}, {"id": "t", "other_text": "none"}],
    }
