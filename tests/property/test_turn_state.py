"""The state of a turn fits its bound by construction, and nothing of it is lost."""

from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainspring_api.domain.limits import NAME_CHARS_MAX
from mainspring_engine.domain.limits import WORKFLOW_STATE_BYTES_MAX
from mainspring_engine.domain.turn import state as states
from mainspring_engine.domain.turn.state import FREE, Appeal, OpenCall, Owed, Phase, TurnState
from mainspring_kernel.errors import StateUnreadable
from mainspring_kernel.limits import TOOL_CALLS_PER_RESPONSE_MAX
from mainspring_schema.events import Usage

COUNT = st.integers(0, 2**53)
SMALL = st.integers(0, 2**31)
IDS = st.uuids()
NAMES = st.text("abcdefghijklmnopqrstuvwxyz_0123456789", min_size=1, max_size=NAME_CHARS_MAX)
USAGES = st.builds(
    Usage,
    input_tokens=COUNT,
    output_tokens=COUNT,
    cache_read_tokens=st.none() | COUNT,
    cache_creation_tokens=st.none() | COUNT,
    reasoning_tokens=st.none() | COUNT,
    estimated_cost_usd=st.none() | st.floats(0, 1e9),
)
CALLS = st.lists(
    st.builds(
        OpenCall,
        index=st.integers(0, TOOL_CALLS_PER_RESPONSE_MAX - 1),
        name=NAMES,
        task_id=st.none() | IDS,
        appeal=st.sampled_from(Appeal),
        child=st.just(b"") | st.binary(min_size=16, max_size=16),
        due_s=st.integers(0, 10**6),
        brought=st.booleans(),
        behind=st.none() | st.integers(FREE, TOOL_CALLS_PER_RESPONSE_MAX - 1),
    ),
    max_size=TOOL_CALLS_PER_RESPONSE_MAX,
).map(tuple)
STATES = st.builds(
    TurnState,
    phase=st.sampled_from(Phase),
    iteration=SMALL,
    input_message_id=IDS,
    message_id=IDS,
    reason_task=st.none() | IDS,
    calls=CALLS,
    call_count=SMALL,
    call_errors=SMALL,
    act_started_ms=COUNT,
    model_calls=SMALL,
    tool_calls=SMALL,
    repairs=st.integers(0, 3),
    usage=USAGES,
    first_token_ms=st.none() | COUNT,
    timer_id=st.none() | IDS,
    cancel_reason=st.none() | st.text("ab", max_size=states.CANCEL_REASON_BYTES_MAX),
    through_seq=COUNT,
    parent=st.none() | IDS,
    tried=USAGES,
    tried_ms=COUNT,
    earlier=USAGES,
    owed=st.builds(Owed, COUNT, COUNT, COUNT, COUNT),
)


def nameless(state: TurnState) -> TurnState:
    calls = tuple(msgspec.structs.replace(call, name="") for call in state.calls)
    return msgspec.structs.replace(state, calls=calls)


@given(STATES)
def test_a_state_fits_its_bound_and_comes_back(state: TurnState) -> None:
    kept = states.encode(state)

    back = states.read(kept)

    assert len(kept) <= WORKFLOW_STATE_BYTES_MAX
    assert back == state or back == nameless(state)


def test_the_fullest_state_fits() -> None:
    most, id_ = 2**63 - 1, UUID(int=2**128 - 1)
    usage = Usage(
        input_tokens=most, output_tokens=most, cache_read_tokens=most,
        cache_creation_tokens=most, reasoning_tokens=most, estimated_cost_usd=1e9,
    )  # fmt: skip
    call = OpenCall(15, "n" * NAME_CHARS_MAX, id_, Appeal.QUESTION, b"c" * 16, most, brought=True)
    fullest = TurnState(
        phase=Phase.CANCELLING, iteration=most, input_message_id=id_, message_id=id_,
        reason_task=id_, calls=(call,) * TOOL_CALLS_PER_RESPONSE_MAX, call_count=most,
        call_errors=most, act_started_ms=most, model_calls=most, tool_calls=most, repairs=most,
        usage=usage, first_token_ms=most, timer_id=id_,
        cancel_reason="r" * states.CANCEL_REASON_BYTES_MAX, through_seq=most, parent=id_,
        tried=usage, tried_ms=most, earlier=usage, owed=Owed(most, most, most, most),
    )  # fmt: skip

    kept = states.encode(fullest)

    assert len(kept) <= WORKFLOW_STATE_BYTES_MAX
    assert states.read(kept) == nameless(fullest)


@given(st.lists(st.integers(0, 255), max_size=40))
def test_what_is_no_state_is_refused_as_such(noise: list[int]) -> None:
    with pytest.raises(StateUnreadable):
        states.read(msgspec.msgpack.encode(noise))
