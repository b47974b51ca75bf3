"""`mainspring trace SESSION`: the spans of a session's turns over all processes, as a tree."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import msgspec

from mainspring_runtime import names

NS_PER_MS = 1_000_000
NAME_WIDTH = 58
SHOWN = (names.LEASE_FENCE, names.STEP_OUTCOME, names.TURN_OUTCOME, names.RESPONSE_FINISH_REASONS)
"""Attributes printed behind a span; all others stay in the files."""


class Span(msgspec.Struct, frozen=True, kw_only=True):
    trace_id: str
    span_id: str
    parent_id: str | None = None
    name: str
    service: str = ""
    start_ns: int
    end_ns: int
    attributes: dict[str, msgspec.Raw] = {}
    status: str = ""
    message: str = ""

    def text(self, attribute: str) -> str:
        return bytes(self.attributes.get(attribute, b"")).decode().strip('"')


def load(folder: Path) -> list[Span]:
    """Every span of the folder's files. A process that was killed may leave half a line."""
    decoder = msgspec.json.Decoder(Span)
    spans: dict[tuple[str, str], Span] = {}
    for path in sorted(folder.glob("*.jsonl")):
        for line in path.read_bytes().splitlines():
            try:
                span = decoder.decode(line)
            except msgspec.MsgspecError:
                continue
            spans[span.trace_id, span.span_id] = span
    return list(spans.values())


def of_session(spans: Iterable[Span], session_id: str) -> list[Span]:
    """All spans of every trace in which the session appears."""
    known = list(spans)
    traces = {span.trace_id for span in known if span.text(names.CONVERSATION_ID) == session_id}
    return [span for span in known if span.trace_id in traces]


def orphans(spans: Sequence[Span]) -> list[Span]:
    """Spans whose parent is in no file."""
    known = {(span.trace_id, span.span_id) for span in spans}
    return [
        span
        for span in spans
        if span.parent_id is not None and (span.trace_id, span.parent_id) not in known
    ]


def render(spans: Sequence[Span]) -> Iterator[str]:
    """One line per span, oldest trace first, children under their parents."""
    children: dict[tuple[str, str | None], list[Span]] = defaultdict(list)
    lost = {span.span_id for span in orphans(spans)}
    for span in sorted(spans, key=lambda span: span.start_ns):
        children[span.trace_id, None if span.span_id in lost else span.parent_id].append(span)
    firsts = {span.trace_id: span.start_ns for span in sorted(spans, key=lambda s: -s.start_ns)}
    for trace_id, began in sorted(firsts.items(), key=lambda item: item[1]):
        yield f"trace {trace_id}"
        open_spans = [(span, 0) for span in reversed(children[trace_id, None])]
        while open_spans:
            span, depth = open_spans.pop()
            yield line(span, depth, began, lost=span.span_id in lost)
            below = children[trace_id, span.span_id]
            open_spans += [(child, depth + 1) for child in reversed(below)]


def line(span: Span, depth: int, began_ns: int, *, lost: bool) -> str:
    name = f"{'  ' * depth}{span.name}"
    offset = (span.start_ns - began_ns) / NS_PER_MS
    took = (span.end_ns - span.start_ns) / NS_PER_MS
    shown = [f"{key.rpartition('.')[2]}={span.text(key)}" for key in SHOWN if span.text(key)]
    marks = [mark for mark in ("parent missing" if lost else "", span.message) if mark]
    rest = " ".join([*shown, *marks])
    return (
        f"{offset:9.1f} ms {took:9.1f} ms  {span.service:<10} {name:<{NAME_WIDTH}} {rest}".rstrip()
    )
