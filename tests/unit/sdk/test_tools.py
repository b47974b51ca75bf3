"""What becomes of a function that is a tool, before anybody calls it."""

import asyncio
from collections.abc import Callable
from typing import Annotated, Literal
from uuid import UUID

import msgspec
import pytest

from mainspring import Fleet, Tool, ToolContext, Worker, tool
from mainspring.calling import Announced
from mainspring_schema.frames import Attach, Attached, FromWorker, ToWorker
from mainspring_schema.toolsets import read
from mainspring_workstream.link import EngineStream
from mainspring_workstream.queue_link import QueueEngineStream
from tests.unit.worker.fake_engine import WAIT_S


class Address(msgspec.Struct):
    street: str


NOTES = ["none"]
"""What a user may well write for a default."""


@tool(effect="idempotent")
async def refund(
    order_id: str,
    cents: Annotated[int, msgspec.Meta(ge=1, description="What goes back.")],
    call: ToolContext,
    why: Literal["late", "broken"] = "late",
    to: Address | None = None,
    notes: list[str] = NOTES,
) -> str:
    """Gives an order's money back.

    Only once per order.
    """
    notes.append(call.idempotency_key)
    return f"{order_id}: {cents} {why} {to} {notes}"


@tool
def look_up(order_id: str) -> str:
    """Finds an order."""
    return order_id.lower()


class OneEngine:
    """Takes whoever attaches, and says nothing more. Lives on the loop of the worker's stream."""

    def __init__(self) -> None:
        self.attach: Attach | None = None

    async def open(self) -> EngineStream:
        inbound: asyncio.Queue[FromWorker | None] = asyncio.Queue()
        outbound: asyncio.Queue[ToWorker | None] = asyncio.Queue()
        outbound.put_nowait(ToWorker(attached=Attached(lease_ms=10_000)))
        return _Watched(inbound, outbound, self)

    async def close(self) -> None:
        return


class _Watched(QueueEngineStream):
    def __init__(
        self,
        outward: asyncio.Queue[FromWorker | None],
        inward: asyncio.Queue[ToWorker | None],
        engine: OneEngine,
    ) -> None:
        super().__init__(outward, inward)
        self._engine = engine

    async def send(self, frame: FromWorker) -> None:
        self._engine.attach = frame.attach or self._engine.attach
        await super().send(frame)


CONTEXT = ToolContext(
    org_id=UUID(int=1),
    session_id=UUID(int=2),
    turn_id=UUID(int=3),
    call_id="call_1",
    idempotency_key="key",
)


def test_a_model_reads_the_name_the_docstring_and_the_parameters() -> None:
    told = refund.definition

    assert (told.name, told.display_name, told.effect_class) == ("refund", "Refund", "idempotent")
    assert told.description == "Gives an order's money back.\n\nOnly once per order."
    assert told.parameters == {
        "type": "object",
        "properties": {
            "order_id": {"type": "string"},
            "cents": {"type": "integer", "minimum": 1, "description": "What goes back."},
            "why": {"enum": ["broken", "late"], "default": "late"},
            "to": {"anyOf": [{"$ref": "#/$defs/Address"}, {"type": "null"}], "default": None},
            "notes": {"type": "array", "items": {"type": "string"}},
        },
        "required": ["order_id", "cents"],
        "additionalProperties": False,
        "$defs": {
            "Address": {
                "title": "Address",
                "type": "object",
                "properties": {"street": {"type": "string"}},
                "required": ["street"],
            }
        },
    }


def test_a_tool_is_called_at_most_once_unless_it_says_more() -> None:
    assert (look_up.definition.effect_class, look_up.definition.probed) == ("at_most_once", False)


def test_calls_of_one_class_are_announced_as_such() -> None:
    @tool(concurrency_class="ledger")
    def enter(line: str) -> None:
        """Enters a line."""

    hints = (enter.definition.hints, look_up.definition.hints)

    assert [one and one.concurrency_class for one in hints] == ["ledger", None]


@pytest.mark.parametrize("class_", ["", "Ledger", "a b", "x" * 65])
def test_a_class_by_which_nothing_could_wait_is_refused(class_: str) -> None:
    with pytest.raises(ValueError, match="look_up: a concurrency class has"):
        Tool(look_up.function, concurrency_class=class_)


async def test_it_is_still_the_function() -> None:
    assert look_up("A-1") == "a-1"
    assert await refund("A", 5, CONTEXT, notes=[]) == "A: 5 late None ['key']"


async def test_arguments_come_as_the_annotated_types_with_defaults_of_their_own() -> None:
    given = {"order_id": "A", "cents": 5, "to": {"street": "High"}}

    first = await refund.call(refund.arguments(given), CONTEXT)
    again = await refund.call(refund.arguments(given), CONTEXT)

    assert first == again == "A: 5 late Address(street='High') ['none', 'key']"


@pytest.mark.parametrize(
    "wrong",
    [{"order_id": "A"}, {"order_id": "A", "cents": "5"}, {"order_id": "A", "cents": 5, "x": 1}, 7],
)
def test_arguments_that_do_not_fit_are_refused(wrong: object) -> None:
    with pytest.raises(ValueError, match=r".+"):
        refund.arguments(wrong)


async def probe(order_id: str, call: ToolContext) -> str:
    return f"{order_id} {call.call_id}"


async def pay(order_id: str) -> str:
    """Pays."""
    return order_id


async def test_a_probe_gets_what_the_tool_got() -> None:
    verified = tool(effect="verifiable", probe=probe)(pay)

    assert verified.definition.probed
    assert await verified.ask({"order_id": "A"}, CONTEXT) == "A call_1"


def undocumented(order_id: str) -> str:
    return order_id


def many(*orders: str) -> None:
    """Takes many."""


def strange(handle: object) -> None:
    """Takes what nobody knows."""


strange.__annotations__["handle"] = "Handle"


def impossible(it: Callable[[], None]) -> None:
    """Takes what no JSON is."""


def of_another() -> None:
    """A probe of a tool without arguments."""


@pytest.mark.parametrize("function", [undocumented, many, strange, impossible])
def test_a_function_that_no_model_can_be_told_of_is_no_tool(
    function: Callable[..., object],
) -> None:
    with pytest.raises(TypeError, match=function.__name__):
        tool(function)


def test_a_probe_belongs_to_a_verifiable_tool_and_fits_it() -> None:
    with pytest.raises(TypeError, match="has a probe"):
        Tool(pay, effect="verifiable")
    with pytest.raises(TypeError, match="only a verifiable"):
        Tool(pay, effect="pure", probe=probe)
    with pytest.raises(TypeError):
        Tool(pay, effect="verifiable", probe=of_another)
    with pytest.raises(ValueError, match="at most"):
        Tool(pay, timeout_s=0)


def test_tools_are_announced_under_a_name() -> None:
    announced = Announced([refund, look_up], "shop", instructions="Be fair.")

    told = read(announced.body)
    assert announced.capabilities == ("toolset:shop/refund", "toolset:shop/look_up")
    assert [one.name for one in told.tools] == ["refund", "look_up"]
    assert (told.name, told.instructions) == ("shop", "Be fair.")


@pytest.mark.parametrize(
    ("it", "readonly", "idempotent", "destructive"),
    [
        (tool(effect="pure")(pay), True, True, False),
        (tool(effect="idempotent")(pay), False, True, False),
        (tool(destructive=True)(pay), False, False, True),
    ],
    ids=["pure", "idempotent", "destructive"],
)
def test_approvals_go_by_what_a_tool_may_do(
    it: Tool[..., object], *, readonly: bool, idempotent: bool, destructive: bool
) -> None:
    hints = it.definition.hints

    assert hints is not None
    assert (hints.readonly, hints.idempotent, hints.destructive) == (
        readonly, idempotent, destructive
    )  # fmt: skip


async def test_a_worker_says_when_an_engine_has_it() -> None:
    """The stream has a loop of its own; its engine answers there."""
    link = OneEngine()
    async with Worker(tools=[look_up], toolset="shop", link=link) as worker:
        async with asyncio.timeout(WAIT_S):
            await worker.attached()

    assert link.attach is not None
    assert [one.name for one in read(link.attach.toolset).tools] == ["look_up"]


@pytest.mark.parametrize(
    ("tools", "name", "why"),
    [
        ([refund], "", "under a name"),
        ([], "shop", "under a name"),
        ([refund, refund], "shop", "one name"),
        ([refund], "My Shop", "not named"),
    ],
)
def test_what_cannot_be_announced_is_said_at_once(
    tools: list[Tool[..., object]], name: str, why: str
) -> None:
    for program in (Worker, Fleet):
        with pytest.raises(ValueError, match=why):
            program(tools=tools, toolset=name)


def test_a_worker_of_another_queue_would_never_be_called() -> None:
    with pytest.raises(ValueError, match="queue 'default'"):
        Worker(tools=[look_up], toolset="shop", queues=["gpu"])
