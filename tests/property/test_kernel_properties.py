from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from mainspring_kernel import backoff
from mainspring_kernel.ids import (
    EPOCH_MAX,
    N_MAX,
    SEQ_MAX,
    Prefix,
    from_wire,
    parse_position_id,
    position_id,
    position_wire,
    session_tag,
    to_wire,
)
from mainspring_kernel.tracing import TraceContext

epochs = st.integers(0, EPOCH_MAX)
seqs = st.integers(0, SEQ_MAX)
ns = st.integers(0, N_MAX)


@given(epochs, seqs, ns, st.uuids())
def test_a_position_id_gives_back_what_it_packed(
    epoch: int, seq: int, n: int, session: UUID
) -> None:
    made = position_id(epoch, seq, n, session)

    assert parse_position_id(made) == (epoch, seq, n, session_tag(session))
    assert made.version == 8
    assert position_wire(epoch, seq, n, session) == to_wire(Prefix.EVENT, made)


@given(st.tuples(epochs, seqs, ns), st.tuples(epochs, seqs, ns), st.uuids())
def test_position_ids_sort_like_positions(
    left: tuple[int, int, int], right: tuple[int, int, int], session: UUID
) -> None:
    ids = position_id(*left, session), position_id(*right, session)

    assert (ids[0] < ids[1]) == (left < right)


@given(st.uuids(), st.sampled_from(["session", "voice_conn", "agent"]))
def test_the_wire_form_of_an_id_reads_back(id_: UUID, prefix: str) -> None:
    assert from_wire(prefix, to_wire(prefix, id_)) == id_


@given(
    st.integers(1, 10_000),
    st.floats(0, 1, exclude_max=True),
    st.one_of(st.none(), st.floats(0, 3600)),
)
def test_a_delay_stays_within_its_bounds(
    attempt: int, draw: float, retry_after: float | None
) -> None:
    policy = backoff.Policy(first_s=0.1, factor=3.0, max_s=30.0)

    delay = backoff.delay_s(policy, attempt, draw, retry_after_s=retry_after)

    assert (retry_after or 0) <= delay <= (retry_after or 0) + policy.max_s


@given(st.integers(1, (1 << 128) - 1), st.integers(1, (1 << 64) - 1), st.booleans())
def test_a_trace_context_reads_back_from_its_header(trace: int, span: int, sampled: bool) -> None:
    context = TraceContext(trace, span, sampled)

    assert TraceContext.parse(context.format()) == context


@given(st.text(max_size=80))
def test_no_text_makes_the_trace_parser_fail(text: str) -> None:
    parsed = TraceContext.parse(text)

    assert parsed is None or parsed.trace_id > 0
