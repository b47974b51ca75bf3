"""People who use sessions over REST in any order, beside a model of what they may be told.

Engines, worker, event store and api are the real ones over their memory twins, in virtual time:
turns are at work while they are written to, cancelled, forked and deleted.
"""

from itertools import pairwise
from types import ModuleType
from typing import Final

import msgspec
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)
from typing_extensions import override

from mainspring_engine.adapters.memory import judging
from mainspring_engine.domain.turn import delivery
from mainspring_kernel.control_errors import SessionBusy
from mainspring_schema.commands import Submit
from tests.property.rest_people import Chat, Said, content, saying, wanting
from tests.property.rest_world import Answer, Json, Rest, Watch
from tests.sim.checks import goes_on
from tests.sim.scripts import script_of
from tests.sim.tools import CAPABILITY, CLASSES

SESSIONS_MAX: Final = 3
WATCHES_MAX: Final = 3
REST_LOOKS: Final = 60
LOOK_S: Final = 2.0
_MODES: Final = ("steer", "queue", "collect", "interrupt", "rollback", "reject")
_OUTCOMES: Final = {"turn.completed", "turn.failed", "turn.cancelled", "turn.sealed"}
SETTINGS: Final = settings(
    derandomize=True,
    database=None,
    deadline=None,
    max_examples=15,
    stateful_step_count=25,
    suppress_health_check=[HealthCheck.too_slow],
    # To make a finding small takes minutes, and the same examples come again for whoever wants to.
    phases=[Phase.generate],
)
UNTIL_MISSED: Final = settings(SETTINGS, max_examples=60)
"""It ends with the first finding."""
numbers = st.integers(0, 11)
modes = st.sampled_from((*_MODES, "queue"))
orders = st.sampled_from([*("say", "cancel", "edit", "withdraw", "fork") * 3, "delete"])


class People(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.rest = Rest(1)
        self.chats: list[Chat] = []
        self.words = 0

    # ── sessions ────────────────────────────────────────────────────────────────────────────────

    @initialize()
    def a_session_is_there(self) -> None:
        self._begin(self.rest.ask("POST", "/sessions", {"capabilities": [{"ref": CAPABILITY}]}))

    @precondition(lambda self: len(self.chats) < SESSIONS_MAX)
    @rule()
    def another_session_begins(self) -> None:
        self.a_session_is_there()

    @precondition(lambda self: len(self.chats) < SESSIONS_MAX)
    @rule(number=numbers)
    def one_is_forked(self, number: int) -> None:
        chat = self._chat(number)
        answer = self.rest.ask("POST", chat.at("/fork"), {})
        if chat.gone:
            self._refused(answer, 404)
        else:
            self._begin(answer)

    @rule(number=numbers)
    def one_is_deleted(self, number: int) -> None:
        if number % 3:
            return
        chat = self._chat(number)
        answer = self.rest.ask("DELETE", chat.at())
        assert answer.status == (404 if chat.gone else 204), answer
        chat.gone = True
        self._refused(self.rest.ask("GET", chat.at()), 404)

    def _begin(self, answer: Answer) -> None:
        assert answer.status == 201, answer
        self.chats.append(Chat(id=str(answer.json["id"]), said={}, watches=[]))

    # ── messages ────────────────────────────────────────────────────────────────────────────────

    @rule(number=numbers, mode=modes, acts=st.booleans())
    def somebody_says_something(self, number: int, mode: str, acts: bool) -> None:
        chat, was_idle = self._chat(number), self._idle(self._chat(number))
        said = self._said(mode, acts=acts)
        (answer,) = self.rest.at_once(saying(chat, said))
        self._refused_or_heard(chat, said, answer, rejects=mode == "reject" and not was_idle)

    @rule(number=numbers, differs=st.booleans())
    def somebody_says_it_again(self, number: int, differs: bool) -> None:
        chat = self._chat(number)
        id_ = chat.newest(number)
        if id_ is None or chat.gone:
            return
        said = chat.said[id_]
        body = said.body | ({"metadata": {"differs": True}} if differs else {})
        again = msgspec.structs.replace(said, body=body)
        (answer,) = self.rest.at_once(saying(chat, again))
        if differs:
            self._refused(answer, 409)
        else:
            assert (answer.status, answer.json["id"]) == (201, id_), answer

    @rule(number=numbers, mode=modes)
    def somebody_says_it_twice_at_once(self, number: int, mode: str) -> None:
        chat, said, was_idle = self._chat(number), self._said(mode), self._idle(self._chat(number))
        request = saying(chat, said)
        answers = self.rest.at_once(request, request)
        taken = [answer for answer in answers if answer.status == 201]
        assert len({answer.json["id"] for answer in taken}) <= 1, answers
        for answer in answers:
            self._refused_or_heard(chat, said, answer, rejects=mode == "reject" and not was_idle)

    @rule(number=numbers, names=st.lists(orders, min_size=2, max_size=3))
    def several_want_something_at_once(self, number: int, names: list[str]) -> None:
        """Who comes first is anybody's guess: what they are told must fit together."""
        chat, id_, said = self._chat(number), self._chat(number).newest(number), self._said("queue")
        wanted = {
            name: wanting(name, chat, id_ or "", said)
            for name in names
            if id_ is not None or name not in ("edit", "withdraw")
        }
        answers = dict(zip(wanted, self.rest.at_once(*wanted.values()), strict=True))
        deleted = answers.get("delete")
        if deleted is not None:
            assert deleted.status == (404 if chat.gone else 204), deleted
            chat.gone = True
        for name, answer in answers.items():
            may_be = (200, 201, 204, 409, 404) if chat.gone else (200, 201, 204, 409)
            assert answer.status in may_be, (name, answer)
        if not chat.gone:
            self._learn(chat, id_ or "", said, answers)

    def _learn(self, chat: Chat, id_: str, said: Said, answers: dict[str, Answer]) -> None:
        if "say" in answers:
            self._heard(chat, said, answers["say"])
        if "fork" in answers and answers["fork"].status == 201:
            self._begin(answers["fork"])
        # Whichever came first, what has been withdrawn stays so.
        if "withdraw" in answers and answers["withdraw"].status == 200:
            chat.said[id_].withdrawn = True
        if "edit" in answers and answers["edit"].status == 200:
            chat.said[id_].text = f"{said.text} rather"

    @rule(number=numbers)
    def the_turn_is_cancelled(self, number: int) -> None:
        chat, was_idle = self._chat(number), self._idle(self._chat(number))
        answer = self.rest.ask("POST", chat.at("/cancel"))
        if chat.gone:
            self._refused(answer, 404)
        else:
            assert answer.status == 200, answer
            assert answer.json["status"] == "no_op" or not was_idle

    @rule(number=numbers)
    def a_message_is_withdrawn(self, number: int) -> None:
        chat = self._chat(number)
        if (id_ := chat.newest(number)) is None:
            return
        answer = self.rest.ask("DELETE", chat.at(f"/messages/{id_}"))
        if not self._taken(chat, id_, answer):
            assert answer.json["status"] == "withdrawn"
            chat.said[id_].withdrawn = True

    @rule(number=numbers)
    def a_message_is_edited(self, number: int) -> None:
        chat = self._chat(number)
        if (id_ := chat.newest(number)) is None:
            return
        text = f"{self._said('queue').text} rather"
        answer = self.rest.ask("PATCH", chat.at(f"/messages/{id_}"), content(text))
        if not self._taken(chat, id_, answer):
            assert answer.json["status"] == "waiting"
            chat.said[id_].text = text

    def _taken(self, chat: Chat, id_: str, answer: Answer) -> bool:
        """Whether the order was refused, as the receipt must then confirm."""
        if chat.gone:
            self._refused(answer, 404)
        elif answer.status == 409:
            receipt = self.rest.ask("GET", chat.at(f"/messages/{id_}/receipt")).json
            wanted = "withdrawn" if chat.said[id_].withdrawn else "consumed"
            assert receipt["status"] == wanted, (answer, receipt)
        else:
            assert answer.status == 200, answer
            return False
        return True

    @rule(number=numbers)
    def waiting_messages_change_places(self, number: int) -> None:
        chat = self._chat(number)
        if chat.gone:
            return
        listed = self.rest.ask("GET", chat.at("/inbox")).json["data"]
        assert [row["place"] for row in listed] == list(range(1, len(listed) + 1))
        ids = [row["message_id"] for row in listed][::-1]
        if ids:
            answer = self.rest.ask("POST", chat.at("/inbox/order"), {"message_ids": ids})
            assert answer.status in (200, 409), answer

    # ── streams and time ────────────────────────────────────────────────────────────────────────

    @rule(number=numbers, place=st.integers(0, 40))
    def a_client_attaches(self, number: int, place: int) -> None:
        chat = self._chat(number)
        if len([watch for watch in chat.watches if watch.open]) < WATCHES_MAX:
            head = 0 if chat.gone else len(self._log(chat))
            watch = Watch(self.rest, chat.id, min(place, head))
            assert watch.status == (404 if chat.gone else 200)
            chat.watches += [] if chat.gone else [watch]

    @rule(number=numbers)
    def a_client_leaves(self, number: int) -> None:
        watches = self._chat(number).watches
        if watches and watches[number % len(watches)].open:
            watches[number % len(watches)].leave()

    @rule(seconds=st.sampled_from([0.05, 0.3, 3.0]))
    def time_passes(self, seconds: float) -> None:
        self.rest.wait(seconds)

    # ── what is asked ───────────────────────────────────────────────────────────────────────────

    def _chat(self, number: int) -> Chat:
        return self.chats[number % len(self.chats)]

    def _said(self, mode: str, *, acts: bool = False) -> Said:
        self.words += 1
        turns: list[Json] = [{"text": "Say no more, say no more. " * 4}]
        if acts:
            calls = [{"name": name, "arguments": {"n": 1}} for name in CLASSES]
            turns.insert(0, {"text": "Let me see.", "tool_calls": calls})
        text = f"Say {self.words}. {script_of(turns)}"
        message = {"role": "user", **content(text)}
        body = {"message": message, "delivery": mode}
        return Said(key=f"key-{self.words}", text=text, body=body)

    def _refused_or_heard(self, chat: Chat, said: Said, answer: Answer, *, rejects: bool) -> None:
        if answer.status == 409:
            assert rejects, answer
        else:
            self._heard(chat, said, answer)

    def _heard(self, chat: Chat, said: Said, answer: Answer) -> None:
        if chat.gone:
            self._refused(answer, 404)
        else:
            assert answer.status == 201, answer
            chat.said[str(answer.json["id"])] = said

    def _refused(self, answer: Answer, status: int) -> None:
        assert answer.status == status, answer
        assert answer.json["error"]["code"] == answer.json["code"]

    def _idle(self, chat: Chat) -> bool:
        """Whether nothing is at work, nor can begin by itself."""
        answer = self.rest.ask("GET", chat.at())
        if chat.gone:
            self._refused(answer, 404)
            return True
        assert answer.json["status"] in ("started", "active", "idle"), answer
        return answer.json["status"] != "active"

    def _log(self, chat: Chat) -> list[Json]:
        events: list[Json] = self.rest.ask("GET", chat.at("/events?limit=1000")).json["data"]
        assert [event["sequence"] for event in events] == list(range(1, len(events) + 1))
        return events

    # ── what must hold in the end ───────────────────────────────────────────────────────────────

    @override
    def teardown(self) -> None:
        try:
            for _ in range(REST_LOOKS):
                self.rest.wait(LOOK_S)
                if all(self._idle(chat) for chat in self.chats):
                    break
            for chat in self.chats:
                if chat.gone:
                    self._refused(self.rest.ask("GET", chat.at("/events")), 404)
                    assert not any(watch.open for watch in chat.watches)
                else:
                    self._judge(chat)
        finally:
            self.rest.close()
        assert self.rest.loop.problems == []

    def _judge(self, chat: Chat) -> None:
        assert self._idle(chat)
        log = self._log(chat)
        types = [event["type"] for event in log]
        assert types.count("turn.started") == sum(type_ in _OUTCOMES for type_ in types)
        assert self.rest.ask("GET", chat.at("/events/verify")).json["intact"]
        for id_, said in chat.said.items():
            receipt = self.rest.ask("GET", chat.at(f"/messages/{id_}/receipt")).json
            assert receipt["status"] == ("withdrawn" if said.withdrawn else "consumed")
        shown = self.rest.ask("GET", chat.at("/messages")).json["data"]
        texts = {message["id"]: message["content"] for message in shown}
        assert len(texts) == len(shown)
        for id_ in chat.said.keys() & texts.keys():
            assert not chat.said[id_].withdrawn
            assert texts[id_] == content(chat.said[id_].text)["content"]
        for watch in chat.watches:
            for before, after in pairwise(watch.seen):
                assert goes_on(before, after), (before, after)
            assert not watch.open or watch.seen[-1].seq == len(log)


def test_people_are_told_what_is_so_whatever_they_do() -> None:
    run_state_machine_as_test(People, settings=SETTINGS)


# ── what the machine must notice ────────────────────────────────────────────────────────────────


def _forgotten(*_: object) -> dict[str, object]:
    return {}


def _untold(*_: object) -> None:
    return


def _always_busy(_: object, command: Submit, __: object) -> bool:
    if command.mode == "reject":
        raise SessionBusy
    return False


@pytest.mark.parametrize(
    ("owner", "name", "instead"),
    [
        pytest.param(judging, "_known", _forgotten, id="a key is known again"),
        pytest.param(delivery, "_tell", _untold, id="an edit is told"),
        pytest.param(delivery, "_meet", _always_busy, id="an idle session is not busy"),
    ],
)
def test_a_broken_promise_is_noticed(
    monkeypatch: pytest.MonkeyPatch, owner: ModuleType, name: str, instead: object
) -> None:
    monkeypatch.setattr(owner, name, instead)

    with pytest.raises((AssertionError, ExceptionGroup)):
        run_state_machine_as_test(People, settings=UNTIL_MISSED)
