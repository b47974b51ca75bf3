"""How an explanation reads on a terminal."""

from collections.abc import Mapping

import pytest

from mainspring_local.client import Api, detail_of
from mainspring_local.errors import Refused, StartProblem
from mainspring_local.explain import Explanation, Reason, explained, lines

PROBLEM = (
    b'{"type":"urn:mainspring:error:invalid_id","title":"Invalid id","status":400,'
    b'"detail":"no id of a session: nope","code":"invalid_id",'
    b'"error":{"code":"invalid_id","message":"no id of a session: nope"}}'
)


class Refusing(Api):
    """Answers whatever it is asked with a problem."""

    def __init__(self) -> None:
        super().__init__("http://nowhere")
        self.asked: list[str] = []

    async def _call(self, method: str, path: str, body: Mapping[str, object] | None) -> bytes:
        del body
        self.asked.append(path)
        asked = f"{method} {path}"
        raise Refused(asked, 400, detail_of(PROBLEM))


def test_each_reason_stands_with_what_to_do_about_it() -> None:
    found = Explanation(
        state="act",
        moving=False,
        reasons=(
            Reason(code="at_work", text="a call is at work", advice="", moving=True),
            Reason(code="no_worker", text="a call waits", advice="Start one.", moving=False),
        ),
    )

    assert lines("turn_1", found) == [
        "turn_1: act, it waits for somebody",
        "  at_work          a call is at work",
        "  no_worker        a call waits",
        "                   Start one.",
    ]


def test_what_goes_on_by_itself_says_so() -> None:
    reason = Reason(code="at_work", text="it is at work", advice="", moving=True)
    found = Explanation(state="reason", moving=True, reasons=(reason,))

    assert lines("turn_1", found)[0] == "turn_1: reason, it goes on by itself"


def test_what_has_ended_does_not_move_and_may_wait_for_somebody_all_the_same() -> None:
    ended = Reason(code="ended", text="it has ended", advice="", moving=True)
    letter = Reason(code="dead_letter", text="it was set aside", advice="", moving=False)

    alone = Explanation(state="completed", moving=True, reasons=(ended,))
    aside = Explanation(state="failed", moving=False, reasons=(ended, letter))

    assert lines("workflow_1", alone)[0] == "workflow_1: completed"
    assert lines("turn_1", aside)[0] == "turn_1: failed, it waits for somebody"


@pytest.mark.parametrize(
    ("state", "code"), [("idle", "idle"), ("started", "idle"), ("closed", "closed")]
)
def test_what_rests_is_not_said_to_go_on(state: str, code: str) -> None:
    reason = Reason(code=code, text="nothing is at work", advice="", moving=True)
    found = Explanation(state=state, moving=True, reasons=(reason,))

    assert lines("session_1", found)[0] == f"session_1: {state}"


async def test_what_cannot_be_explained_is_told_in_one_line() -> None:
    api = Refusing()

    with pytest.raises(StartProblem) as told:
        await explained(api, "no/pe")

    assert str(told.value) == "no/pe cannot be explained: no id of a session: nope"
    assert api.asked == ["/durable/explain/no%2Fpe"]


def test_an_answer_that_is_no_problem_document_is_shown_as_it_is() -> None:
    assert detail_of(b"<html>bad gateway</html>") == "<html>bad gateway</html>"
