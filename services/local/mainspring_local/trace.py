"""`mainspring trace ID`: the spans of a session, turn, workflow or task over all processes."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import msgspec

from mainspring_kernel.ids import Prefix
from mainspring_runtime import names

NS_PER_MS = 1_000_000
NAME_WIDTH = 58
NAMING = (names.CONVERSATION_ID, names.TURN_ID, names.TASK_ID)
"""Attributes that say what a span is of."""
SHOWN = (
    names.LEASE_FENCE,
    names.STEP_OUTCOME,
    names.TURN_OUTCOME,
    names.WORKFLOW_OUTCOME,
    names.RESPONSE_FINISH_REASONS,
)
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


def session_of(wire_id: str) -> str:
    """A workflow is its own session, whose id has the same digits; all else stays as it is."""
    kind, _, digits = wire_id.partition("_")
    return f"{Prefix.SESSION}_{digits}" if kind == Prefix.WORKFLOW else wire_id


def of_one(spans: Iterable[Span], wire_id: str) -> list[Span]:
    """All spans of every trace in which it appears: a session, a turn, a workflow or a task."""
    known, wanted = list(spans), session_of(wire_id)
    traces = {span.trace_id for span in known if wanted in map(span.text, NAMING)}
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
