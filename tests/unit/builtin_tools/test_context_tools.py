"""Tools by which an agent finds what its prompt does not show."""

from typing import cast

from msgspec import structs

from mainspring_harness.builtin import builtin_registry
from mainspring_schema.agents import CapabilityRef
from mainspring_schema.events import StoredEvent
from mainspring_schema.messages import Json
from mainspring_worker.adapters.builtin_tools.history import query_history
from mainspring_worker.adapters.builtin_tools.tool_search import tool_search
from mainspring_worker.ports.tool import ToolContext
from tests.unit.builtin_tools.calling import Caller
from tests.unit.harness.conversations import Log
from tests.unit.worker.making import agent

PERSISTENCE = "tool_output_persistence"


async def test_a_long_output_is_read_piece_by_piece(caller: Caller) -> None:
    await caller.result(
        "session_file_system", "write_file", path="/outputs/call_1.txt", content="a" * 10 + "b" * 5
    )

    named = {"output_file": "/outputs/call_1.txt"}
    first = await caller.result(PERSISTENCE, "read_tool_output", **named, limit=10)
    rest = await caller.result(PERSISTENCE, "read_tool_output", **named, offset=10)
    assert (first["text"], first["next_offset"], first["bytes_total"]) == ("a" * 10, 10, 15)
    assert (rest["text"], rest.get("truncated")) == ("b" * 5, None)
    refusal = await caller.refusal(PERSISTENCE, "read_tool_output", output_file="/outputs/x.txt")
    assert "there is no output" in refusal


def context_of(caller: Caller, **more: object) -> ToolContext:
    return structs.replace(caller.context(), **more)


async def test_a_search_shows_how_tools_are_called(caller: Caller) -> None:
    who = structs.replace(
        agent(), capabilities=(CapabilityRef(ref="test_math"), CapabilityRef(ref="tool_search"))
    )
    search = tool_search(builtin_registry())

    found = await search({"query": "divide numbers", "limit": 1}, context_of(caller, agent=who))
    nothing = await search({"query": "zzz"}, context_of(caller, agent=who))
    (tool,) = cast("list[Json]", cast("Json", found.result)["tools"])
    assert tool["name"] == "divide"
    assert "properties" in cast("Json", tool["parameters"])
    assert "add, subtract" in str(cast("Json", nothing.result)["hint"])


LOG = (
    Log()
    .input(1, "My dog is called Rex.\nHe is brown.")
    .reason(1)
    .answer(1, "Noted.")
    .input(2, "And the cat Tom.")
    .reason(2)
    .answer(2, "", calls=["look"])
    .result("look", "Tom sleeps")
    .reason()
    .answer(3, "Fine.")
)


async def ask(caller: Caller, log: Log = LOG, **asked: object) -> Json:
    async def history(after: int) -> tuple[StoredEvent, ...]:
        return tuple(event for event in log.events if event.seq > after)[:3]

    outcome = await query_history(asked, context_of(caller, history=history))
    return cast("Json", outcome.result)


def texts(found: Json) -> list[object]:
    return [row["text"] for row in cast("list[Json]", found["matches"])]


async def test_history_is_searched_by_words(caller: Caller) -> None:
    found = await ask(caller, query="REX dog", context_lines=0)

    assert texts(found) == ["My dog is called Rex.\n..."]
    assert (found["match_count"], found["message_count"]) == (1, 6)


async def test_history_holds_nothing_that_was_rolled_back(caller: Caller) -> None:
    log = Log().input(1, "I have a dog.").add("turn.started", {}).reason(1).answer(1, "Good dog.")
    log.input(2, "No dog.").add("turn.started", {}).reason(2).answer(2, calls=["dog"]).result("dog")
    log.add("turn.cancelled", {"turn_id": "t", "rolled_back": True})
    log.input(3, "A cat.").add("turn.started", {}).reason(3).answer(3, "Good cat.")

    dogs = await ask(caller, log, query="dog")
    everything = await ask(caller, log)

    assert texts(dogs) == ["I have a dog.", "Good dog."]
    rows = cast("list[Json]", everything["matches"])
    assert [row["number"] for row in rows] == [1, 2, 3, 4]


async def test_history_is_read_by_numbers_kinds_and_times(caller: Caller) -> None:
    everything = await ask(caller)
    users = await ask(caller, message_types=["user"], message_range={"from": 2})
    results = await ask(caller, message_types=["tool_result"])
    early = await ask(caller, time_range={"to": "2001-01-01T00:00:00Z"})
    cut = await ask(caller, limit=1)

    assert len(texts(everything)) == 6
    assert texts(users) == ["And the cat Tom."]
    assert texts(results) == ["[add] Tom sleeps"]
    assert texts(early) == []
    assert (texts(cut), cut["truncated"]) == (["Fine."], True)
