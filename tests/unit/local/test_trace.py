import json
from pathlib import Path

import pytest

from mainspring_local import trace

SESSION = "session_" + "1" * 32
TASK = "task_" + "3" * 32


def span(name: str, number: int, parent: int | None = None, **more: object) -> dict[str, object]:
    return {
        "trace_id": "t1",
        "span_id": f"{number:016x}",
        "parent_id": None if parent is None else f"{parent:016x}",
        "name": name,
        "service": "engine",
        "start_ns": number * 1_000_000,
        "end_ns": number * 1_000_000 + 500_000,
        **more,
    }


def write(path: Path, *spans: dict[str, object], tail: str = "") -> None:
    path.write_text("".join(json.dumps(each) + "\n" for each in spans) + tail)


def test_spans_of_several_processes_make_one_tree(tmp_path: Path) -> None:
    write(tmp_path / "api-1.jsonl", span("POST", 1))
    write(
        tmp_path / "engine-2.jsonl",
        span("turn", 2, 1, attributes={"gen_ai.conversation.id": SESSION}),
        span("chat", 3, 2, service="worker"),
    )

    lines = list(trace.render(trace.of_one(trace.load(tmp_path), SESSION)))

    assert lines[0] == "trace t1"
    assert [line.split()[5] for line in lines[1:]] == ["POST", "turn", "chat"]
    assert "      chat" not in lines[1]


def test_other_sessions_are_left_out(tmp_path: Path) -> None:
    write(tmp_path / "api-1.jsonl", span("POST", 1))

    assert trace.of_one(trace.load(tmp_path), SESSION) == []


@pytest.mark.parametrize(
    "wire_id", [SESSION, SESSION.replace("session", "workflow"), "turn_" + "2" * 32, TASK]
)
def test_a_trace_is_found_by_whatever_it_is_of(tmp_path: Path, wire_id: str) -> None:
    told = {
        "gen_ai.conversation.id": SESSION,
        "mainspring.turn.id": "turn_" + "2" * 32,
        "mainspring.task.id": TASK,
    }
    write(tmp_path / "engine-1.jsonl", span("attempt", 1, attributes=told))

    assert [each.name for each in trace.of_one(trace.load(tmp_path), wire_id)] == ["attempt"]


def test_half_a_line_of_a_killed_process_is_skipped(tmp_path: Path) -> None:
    write(tmp_path / "worker-1.jsonl", span("chat", 1), tail='{"trace_id": "t1", "sp')

    assert [each.name for each in trace.load(tmp_path)] == ["chat"]


def test_a_span_without_its_parent_is_shown_as_such(tmp_path: Path) -> None:
    write(tmp_path / "worker-1.jsonl", span("chat", 2, 1))
    spans = trace.load(tmp_path)

    assert [each.name for each in trace.orphans(spans)] == ["chat"]
    assert "parent missing" in list(trace.render(spans))[1]
