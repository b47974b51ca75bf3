from uuid import UUID

import pytest

from mainspring_kernel.draws import SeededDraws, SystemDraws
from mainspring_kernel.tracing import (
    TraceContext,
    current_trace,
    new_trace,
    span_id_for,
    use_trace,
)

TRACE = "0af7651916cd43dd8448eb211c80319c"
SPAN = "b7ad6b7169203331"


def test_a_traceparent_is_read() -> None:
    context = TraceContext.parse(f"00-{TRACE}-{SPAN}-01")

    assert context is not None
    assert (context.trace_hex, context.span_hex, context.sampled) == (TRACE, SPAN, True)


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        f"00-{TRACE}-{SPAN}",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-01-more",
        f"00-{TRACE.upper()}-{SPAN}-01",
    ],
)
def test_a_broken_traceparent_is_no_context(text: str | None) -> None:
    assert TraceContext.parse(text) is None


def test_a_later_version_may_say_more() -> None:
    assert TraceContext.parse(f"01-{TRACE}-{SPAN}-01-more") is not None


def test_the_ratio_decides_how_many_traces_are_sampled() -> None:
    draws = SeededDraws(1)
    sampled = sum(new_trace(draws, 0.25).sampled for _ in range(4000))

    assert 850 < sampled < 1150
    assert all(new_trace(draws, 1.0).sampled for _ in range(100))
    assert not any(new_trace(draws, 0.0).sampled for _ in range(100))


def test_span_ids_follow_from_their_owner_and_number() -> None:
    owner = UUID(int=5)

    assert span_id_for(owner, 1) == span_id_for(owner, 1)
    assert len({span_id_for(owner, n) for n in range(100)}) == 100
    assert 0 < span_id_for(owner, 0) < 1 << 64


def test_the_current_trace_ends_with_its_block() -> None:
    context = new_trace(SystemDraws(), 1.0)

    with use_trace(context):
        assert current_trace() == context

    assert current_trace() is None
