"""Questions that a model puts to people: what it may ask, what they may answer, what it reads."""

from collections.abc import Sequence
from typing import Final, Literal

import msgspec
from msgspec import Struct

from mainspring_schema.messages import Json

QUESTIONS_MAX: Final = 10
OPTIONS_MIN: Final = 2
OPTIONS_MAX: Final = 20
TEXT_CHARS_MAX: Final = 4000
"""Of one answer: it becomes part of every later prompt of the session."""


class Question(Struct, frozen=True, kw_only=True):
    """`default` is what counts where nobody answers in time; None for no answer."""

    id: str
    question: str
    type: Literal["choice", "text", "secret"] = "text"
    options: tuple[str, ...] = ()
    multiple: bool = False
    allow_other: bool = False
    default: str | None = None


class Given(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One answer. A text goes into `other_text`; a secret is named, never said."""

    id: str
    selected: tuple[str, ...] = ()
    other_text: str | None = None
    secret_ref: str | None = None


class _Arguments(Struct, frozen=True, kw_only=True):
    questions: tuple[Question, ...]


def read(arguments: object) -> tuple[Question, ...]:
    """The questions of a call; none where they cannot be read."""
    try:
        return msgspec.convert(arguments, _Arguments).questions
    except msgspec.ValidationError:
        return ()


def flaw(arguments: object) -> str | None:
    """What is wrong with a call beyond what its schema says."""
    questions = read(arguments)
    if not questions:
        return "there is no question that can be asked"
    if len({one.id for one in questions}) < len(questions):
        return "two questions have the same id"
    return next((wrong for one in questions if (wrong := _unfit_choice(one))), None)


def _unfit_choice(asked: Question) -> str | None:
    if asked.type != "choice":
        return None
    if len(asked.options) < OPTIONS_MIN:
        return f"the choice {asked.id!r} needs {OPTIONS_MIN} options or more"
    if asked.default is not None and asked.default not in asked.options:
        return f"the default of {asked.id!r} is none of its options"
    return None


def misfit(questions: Sequence[Question], given: Sequence[Given]) -> str | None:
    """Why these answers are not answers to these questions."""
    by_id = {one.id: one for one in questions}
    if len({one.id for one in given}) < len(given):
        return "a question has two answers"
    for one in given:
        asked = by_id.get(one.id)
        if asked is None:
            return f"nobody asked {one.id!r}"
        wrong = _wrong(asked, one)
        if wrong is not None:
            return f"{one.id!r}: {wrong}"
    missing = [id_ for id_ in by_id if id_ not in {one.id for one in given}]
    return f"not answered: {', '.join(missing)}" if missing else None


def _wrong(asked: Question, given: Given) -> str | None:
    if asked.type == "secret":
        only_named = given.secret_ref and not (given.selected or given.other_text)
        return None if only_named else "a secret is answered by secret_ref alone"
    if given.secret_ref is not None:
        return "secret_ref answers a secret only"
    if asked.type == "text":
        return None if given.other_text and not given.selected else "expects other_text"
    return _wrong_choice(asked, given)


def _wrong_choice(asked: Question, given: Given) -> str | None:
    if given.other_text and not asked.allow_other:
        return "only the options may be chosen"
    strange = [one for one in given.selected if one not in asked.options]
    if strange:
        return f"no option {strange[0][:64]!r}"
    chosen = len(given.selected) + bool(given.other_text)
    if chosen == 0:
        return "nothing is chosen"
    return None if chosen == 1 or asked.multiple else "only one may be chosen"


def told(status: str, by: str, given: Sequence[Given] = ()) -> Json:
    """The result of the call as the model reads it."""
    # By way of JSON, so that it equals what is read back from the log.
    answers = msgspec.json.decode(msgspec.json.encode(given), type=list[Json])
    return {"status": status, "answered_by": by, "answers": answers}


def silence(arguments: object) -> Json:
    """The result where nobody answers in time: the defaults, as far as there are any."""
    return told("timed_out", "timeout", [_default(one) for one in read(arguments) if one.default])


def _default(asked: Question) -> Given:
    value = asked.default or ""
    if asked.type == "choice":
        return Given(id=asked.id, selected=(value,))
    return Given(id=asked.id, other_text=value)
