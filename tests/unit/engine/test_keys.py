"""Keys of tasks: how routes bear them, which limit each is under, who rests and who is woken."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainspring import do, step, workflow
from mainspring_engine.domain.checks import check_steps
from mainspring_engine.domain.circuit_answers import failure_of
from mainspring_engine.domain.health import health
from mainspring_engine.domain.holds import HoldTimes
from mainspring_engine.domain.limit import KeyLimit, Limits, keys_of
from mainspring_engine.domain.plain import made_of
from mainspring_engine.domain.resting import Resting
from mainspring_engine.domain.routes import Route, given_in, keys_under
from mainspring_engine.domain.samples import RouteSample, Sample
from mainspring_engine.usecases.workflows import check_keys
from mainspring_kernel.clock import SystemClock
from mainspring_kernel.errors import ValidationFailed
from mainspring_kernel.ids import DEFAULT_ORG_ID, RandomIds
from mainspring_kernel.limits import KEY_CHARS_MAX, TASK_KEYS_MAX
from mainspring_schema.plain import SubmitTask
from mainspring_schema.tasks import PlainResult, TaskResult, WorkflowResult
from mainspring_schema.workflows import ChildStart, Flaw, StartWorkflow, Wait
from tests.unit.engine.declared_desk import DeclaredDesk
from tests.unit.engine.program import Desk

IDS = RandomIds(SystemClock())
CUSTOMER, STRIPE = "key/customer:7", "circuit/stripe"
KEYED = Route(queue="q", keys=(CUSTOMER, STRIPE))
FLAW = Flaw(code="step_failed", message="no")

# ── routes ──────────────────────────────────────────────────────────────────────────────────────

KEYS = st.lists(st.text("ab/:.", min_size=1, max_size=5), max_size=4).map(tuple)


@given(keys=KEYS, circuit=st.sampled_from(["", "c"]), model=st.sampled_from(["", "p/m"]))
def test_a_route_is_told_by_its_names(keys: tuple[str, ...], circuit: str, model: str) -> None:
    route = Route("q", "c", "b", model, keys_under(keys, circuit))

    assert Route.named(*route.names) == route
    assert Route.named(*route.names[:3], route.names[3]).without_keys == Route("q", "c", "b", model)


def test_an_engine_that_knows_no_keys_takes_them_for_a_model_of_its_own() -> None:
    names = [Route(queue="q").names, KEYED.names, Route(queue="q", keys=(CUSTOMER,)).names]

    assert len(set(names)) == 3
    assert names[0] == ("q", "", "", "")


def test_a_task_is_under_its_keys_and_its_queue_and_its_circuit_is_the_one_it_names() -> None:
    assert keys_of(KEYED) == (CUSTOMER, STRIPE, "queue:q")
    assert (KEYED.circuit, Route(keys=(CUSTOMER,)).circuit) == (STRIPE, "")
    assert Route(model="p/m").circuit == "p/m"


def test_what_was_given_is_read_back_from_a_route() -> None:
    assert given_in(keys_under(("b", "a"), "c")) == (("a", "b"), "c")
    assert given_in(()) == ((), "")


def test_the_order_of_keys_and_repeats_make_no_other_route() -> None:
    assert keys_under(("b", "a", "b"), "c") == keys_under(("a", "b"), "c")


def test_keys_are_part_of_what_a_task_is_and_none_leave_no_trace() -> None:
    plain = SubmitTask(org_id=DEFAULT_ORG_ID, task_id=IDS.uuid7(), type="add")
    keyed = msgspec.structs.replace(plain, keys=("customer:7",), circuit="stripe")

    assert made_of(keyed).route.keys == (STRIPE, CUSTOMER)
    assert made_of(keyed).payload != made_of(plain).payload
    assert b"keys" not in made_of(plain).payload


@pytest.mark.parametrize(
    ("keys", "circuit"),
    [
        (("a",) * (TASK_KEYS_MAX + 1), ""),
        (("",), ""),
        (("two words",), ""),
        (("customer:*",), ""),
        (("line\n",), ""),
        (("x" * (KEY_CHARS_MAX + 1),), ""),
        ((), "é"),
    ],
)
def test_what_could_not_be_a_key_is_refused(keys: tuple[str, ...], circuit: str) -> None:
    with pytest.raises(ValidationFailed):
        check_keys(keys, circuit)


def test_what_people_call_their_customers_is_a_key() -> None:
    check_keys(("customer:7", "a.b+c@example.com", "https://x/y?z=1"), "stripe")


# ── workflows ───────────────────────────────────────────────────────────────────────────────────


def test_each_go_of_a_workflow_is_under_its_keys() -> None:
    desk = Desk(keys=("customer:7",), circuit="stripe")
    (first,) = desk.last.tasks
    desk.claimed()

    desk.brings(WorkflowResult(outcome="renewed", result=b"[2]"))

    (second,) = desk.last.tasks
    assert first.route == second.route
    assert first.route.keys == (STRIPE, CUSTOMER)
    assert (desk.data[0][1]["keys"], desk.data[0][1]["circuit"]) == (["customer:7"], "stripe")


def test_a_child_has_the_keys_that_it_was_started_with_and_not_its_parents() -> None:
    desk = Desk(keys=("parent",))
    desk.claimed()
    child = ChildStart(type="step:bill", queue="bills", keys=("customer:7",), circuit="stripe")

    desk.suspends(Wait(step="1", name="step:bill", kind="child", child=child))

    (told,) = desk.told
    start = msgspec.msgpack.decode(told.body, type=StartWorkflow)
    assert (start.keys, start.circuit) == (("customer:7",), "stripe")


def test_a_frame_with_a_child_whose_key_is_none_is_refused() -> None:
    child = ChildStart(type="step:bill", input=b"[1]", keys=("a\nb",))
    wait = Wait(step="1", name="step:bill", kind="child", child=child)

    with pytest.raises(msgspec.ValidationError, match="a key"):
        check_steps((), (wait,))


@step(queue="bills", keys=("stripe",), circuit="stripe")
def bill(cents: int) -> int:
    return cents


@step
def note(cents: int) -> int:
    return cents


@workflow(driver="machine")
def bills(cents: int) -> int:
    return do(bill, cents)


@workflow(driver="machine")
def notes(cents: int) -> int:
    return do(note, cents)


def test_a_declared_step_is_under_the_keys_that_it_declares() -> None:
    assert bills.drawn is not None
    desk = DeclaredDesk(bills.drawn.declaration)

    (task,) = desk.last.tasks
    assert task.route.keys == (STRIPE, "key/stripe")


def test_it_is_under_those_of_its_workflow_too_and_its_own_circuit_comes_first() -> None:
    assert bills.drawn is not None
    assert notes.drawn is not None
    under = [
        DeclaredDesk(drawn.declaration, under=(("customer:7",), "mail")).last.tasks[0]
        for drawn in (bills.drawn, notes.drawn)
    ]

    assert [task.route.keys for task in under] == [
        (STRIPE, CUSTOMER, "key/stripe"),
        ("circuit/mail", CUSTOMER),
    ]


# ── families of limits ──────────────────────────────────────────────────────────────────────────


def test_a_key_is_under_its_own_limit_or_that_of_its_narrowest_family() -> None:
    own = KeyLimit(key="key/customer:7", at_once=9)
    wide = KeyLimit(key="key/*", at_once=50)
    narrow = KeyLimit(key="key/customer:*", at_once=1)
    limits = Limits([wide, own, narrow])

    found = [limits.of(key) for key in ("key/customer:7", "key/customer:8", "key/x", "queue:q")]

    assert found[0] == own
    assert found[1] == KeyLimit(key="key/customer:8", at_once=1, family="key/customer:*")
    assert found[2] == KeyLimit(key="key/x", at_once=50, family="key/*")
    assert found[3] is None


# ── who rests ───────────────────────────────────────────────────────────────────────────────────

OTHER = Route(queue="other", keys=(CUSTOMER,))


def test_a_task_that_ends_wakes_all_routes_under_its_keys() -> None:
    resting = Resting()
    resting.add(KEYED, (CUSTOMER,), full=True)
    resting.add(Route(queue="z"), ("queue:z",), full=True)

    assert resting.ended(OTHER)
    assert (KEYED in resting, Route(queue="z") in resting) == (False, True)
    assert not resting.ended(OTHER)


def test_a_route_that_rests_under_two_keys_is_woken_by_either() -> None:
    for ended in (OTHER, Route(queue="q")):
        resting = Resting()
        resting.add(KEYED, (CUSTOMER, "queue:q"), full=True)

        assert resting.ended(ended)
        assert KEYED not in resting


def test_a_new_task_is_asked_for_until_a_claim_got_nothing() -> None:
    resting = Resting()
    resting.add(KEYED, (CUSTOMER,), full=False)
    resting.ready(KEYED)
    unsure = KEYED in resting
    resting.add(KEYED, (CUSTOMER,), full=True)
    resting.ready(KEYED)

    assert (unsure, KEYED in resting) == (False, True)
    resting.clear()
    assert KEYED not in resting


# ── what a circuit hears, what operators see ────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("result", "class_"),
    [
        (WorkflowResult(outcome="completed"), None),
        (WorkflowResult(outcome="suspended"), "unknown"),
        (WorkflowResult(outcome="failed", flaw=FLAW), "transient"),
        (WorkflowResult(outcome="failed", flaw=Flaw(code="closed", message="")), "invalid_request"),
        (
            PlainResult(flaw=Flaw(code="timeout.schedule_to_start", message=""), lasting=True),
            "unknown",
        ),
        (PlainResult(), None),
        (PlainResult(flaw=FLAW, retry_ms=5), "transient"),
        (PlainResult(flaw=FLAW), "transient"),
        (PlainResult(flaw=FLAW, lasting=True), "invalid_request"),
    ],
)
def test_only_what_may_pass_counts_against_a_circuit(
    result: TaskResult, class_: str | None
) -> None:
    failure = failure_of(result)

    assert (failure and failure.error_class) == class_


def test_health_adds_up_the_keys_of_a_route() -> None:
    routes = (
        RouteSample(route=KEYED, ready=2, leased=1, oldest_ms=7),
        RouteSample(route=Route(queue="q"), ready=3, delayed=1, oldest_ms=5),
        RouteSample(route=Route(queue="q", keys=(CUSTOMER,)), waiting=4, oldest_ms=1),
        RouteSample(route=Route(queue="z"), ready=1),
    )
    sample = Sample(at_ms=0, routes=routes, seats=(), replicas=1, dead_letters=0, cut=False)

    first, second = health(sample, HoldTimes(), {}).queues

    assert (first.queue, first.ready, first.leased) == ("q", 5, 1)
    assert (first.delayed, first.waiting, first.oldest_ms) == (1, 4, 7)
    assert (second.queue, second.ready) == ("z", 1)


def test_a_hold_is_noted_whatever_the_keys() -> None:
    holds = HoldTimes()
    holds.note(KEYED, 3.0)

    assert holds.mean_s(Route(queue="q")) == holds.mean_s(KEYED) == 3.0
