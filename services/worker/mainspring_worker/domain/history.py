"""A conversation as rows of text, and what of it somebody looks for. Pure."""

from collections.abc import Iterable, Sequence
from typing import Final, Literal, assert_never

from msgspec import UNSET, Struct

from mainspring_harness.placing import Answer, Input, Outcome, Placed
from mainspring_kernel.limits import KIB
from mainspring_schema.codec import to_json
from mainspring_schema.messages import ImagePart, TextPart, ToolCallPart, text_of

Kind = Literal["user", "assistant", "tool_result"]
ROW_CHARS_MAX: Final = 2 * KIB
"""Of one message in an answer."""
ANSWER_CHARS_MAX: Final = 24 * KIB
"""Of all of them: an answer must not fill the context that it is meant to spare."""


class Row(Struct, frozen=True, kw_only=True):
    """A message of the conversation; `number` counts from 1 in the order a model reads."""

    number: int
    kind: Kind
    ts_ms: int
    text: str


class Wanted(Struct, frozen=True, kw_only=True):
    """All given conditions hold together; ranges are inclusive. The newest `limit` rows count."""

    words: tuple[str, ...] = ()
    numbers: tuple[int | None, int | None] = (None, None)
    times_ms: tuple[int | None, int | None] = (None, None)
    kinds: frozenset[str] = frozenset()
    limit: int = 20
    lines: int = 3


class Found(Struct, frozen=True, kw_only=True):
    """Rows in order, their text cut around what was looked for; `matched` are all that fitted."""

    rows: tuple[Row, ...]
    matched: int


def row_of(placed: Placed, number: int) -> Row | None:
    """None for what no model reads."""
    match placed:
        case Input():
            if placed.consumed_ms is None:
                return None
            text = text_of(placed.message.content)
            return Row(number=number, kind="user", ts_ms=placed.consumed_ms, text=text)
        case Answer():
            return Row(number=number, kind="assistant", ts_ms=placed.ts_ms, text=_said(placed))
        case Outcome():
            return Row(number=number, kind="tool_result", ts_ms=placed.ts_ms, text=_result(placed))
        case _:
            assert_never(placed)


def search(rows: Iterable[Row], wanted: Wanted) -> Found:
    """What fits, newest first where not all of it has room."""
    fitting = [row for row in rows if _fits(row, wanted)]
    kept: list[Row] = []
    room = ANSWER_CHARS_MAX
    for row in reversed(fitting[-wanted.limit :]):
        text = _around(row.text, wanted)
        room -= len(text)
        if room < 0:
            break
        kept.append(Row(number=row.number, kind=row.kind, ts_ms=row.ts_ms, text=text))
    return Found(rows=tuple(reversed(kept)), matched=len(fitting))


def _said(answer: Answer) -> str:
    calls = [
        f"[calls {part.name} {to_json(part.arguments).decode()}]"
        for part in answer.data.message.content
        if isinstance(part, ToolCallPart)
    ]
    return "\n".join([text_of(answer.data.message.content), *calls]).strip()


def _result(outcome: Outcome) -> str:
    data = outcome.data
    parts = () if data.result is UNSET else data.result
    texts = [part.text for part in parts if isinstance(part, TextPart)]
    texts += ["[an image]" for part in parts if isinstance(part, ImagePart)]
    said = "\n".join(texts) if data.success else data.error or data.status
    return f"[{data.tool_name}] {said}"


def _fits(row: Row, wanted: Wanted) -> bool:
    text = row.text.lower()
    return (
        (not wanted.kinds or row.kind in wanted.kinds)
        and _within(row.number, wanted.numbers)
        and _within(row.ts_ms, wanted.times_ms)
        and all(word in text for word in wanted.words)
    )


def _within(value: int, bounds: tuple[int | None, int | None]) -> bool:
    least, most = bounds
    return (least is None or value >= least) and (most is None or value <= most)


def _around(text: str, wanted: Wanted) -> str:
    """The lines that hold one of the words, with some around each; all where nothing is sought."""
    lines = text.splitlines()
    if wanted.words:
        lines = _excerpt(lines, wanted.words, wanted.lines)
    shown = "\n".join(lines)
    return shown if len(shown) <= ROW_CHARS_MAX else f"{shown[:ROW_CHARS_MAX]}\n(cut)"


def _excerpt(lines: Sequence[str], words: Sequence[str], around: int) -> list[str]:
    near = {
        at
        for found, line in enumerate(lines)
        if any(word in line.lower() for word in words)
        for at in range(found - around, found + around + 1)
        if 0 <= at < len(lines)
    }
    shown: list[str] = []
    last = -1
    for at in sorted(near):
        if at > last + 1:
            shown.append("...")
        shown.append(lines[at])
        last = at
    if last < len(lines) - 1:
        shown.append("...")
    return shown
