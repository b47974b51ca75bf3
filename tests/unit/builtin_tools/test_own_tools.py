"""Code of one's own in process: called as built-in tools are, with what the agent configured."""

import threading

import pytest
from msgspec import structs

from mainspring_harness.builtin import builtin_registry
from mainspring_harness.calling import CallContext, FunctionHook, ToolError
from mainspring_harness.capability import Capability, Info
from mainspring_schema.agents import CapabilityRef, ModelChoice, RuntimeAgent, ToolDefinition
from mainspring_schema.hooks import Hook, Verdict
from mainspring_schema.messages import Json
from mainspring_worker.adapters.builtin_tools.shelf import all_tools
from mainspring_worker.adapters.hooks import UserHooks
from mainspring_worker.ports.hooks import HookFailed
from mainspring_worker.ports.tool import ToolOutcome
from tests.unit.builtin_tools.calling import Caller

AGENT = RuntimeAgent(
    harness_id="h",
    capabilities=(CapabilityRef(ref="store", config={"currency": "EUR"}),),
    model=ModelChoice(model_id="m", model="m", provider_id="p", driver="d", provider="p"),
    max_iterations=1,
)
WRONG = "of what?"
PARAMETERS: Json = {"type": "object"}


async def price(arguments: Json, call: CallContext) -> object:
    if "of" not in arguments:
        raise ToolError(WRONG)
    return [arguments["of"], call.config.get("currency"), threading.current_thread().name]


async def sold(_arguments: Json, call: CallContext) -> object:
    return call.idempotency_key


SHOP = Capability(
    info=Info(
        id="shop", name="Shop", description="A shop.", status="available", aliases=("store",)
    ),
    tools=lambda _config: (
        ToolDefinition(name="price", parameters=PARAMETERS, effect_class="pure"),
        ToolDefinition(name="sell", parameters=PARAMETERS, effect_class="verifiable", probed=True),
        ToolDefinition(name="scan", parameters=PARAMETERS, kind="client_side"),
    ),
    code={"price": price, "sell": price},
    probes={"sell": sold},
)


async def called(
    caller: Caller, name: str, arguments: Json, *, probes: bool = False
) -> ToolOutcome:
    found = all_tools(builtin_registry([SHOP])).find(name, "shop")
    assert found is not None
    context = structs.replace(caller.context(1), agent=AGENT)
    ask = caller.threads.probe if probes else caller.threads.call
    return await ask(found, arguments, context)


async def test_it_gets_the_configuration_and_never_the_loop_on_which_the_worker_beats(
    caller: Caller,
) -> None:
    outcome = await called(caller, "price", {"of": "tea"})

    assert outcome == ToolOutcome(result=["tea", "EUR", "tools"])


async def test_what_it_says_is_wrong_the_model_reads(caller: Caller) -> None:
    outcome = await called(caller, "price", {})

    assert (outcome.status, outcome.error) == ("error", WRONG)


async def test_its_probe_tells_what_became_of_a_lost_call(caller: Caller) -> None:
    outcome = await called(caller, "sell", {}, probes=True)

    assert outcome.result == caller.context(1).idempotency_key


def test_what_the_client_carries_out_has_no_code_here() -> None:
    assert all_tools(builtin_registry([SHOP])).find("scan", "shop") is None


# ── hooks ───────────────────────────────────────────────────────────────────────────────────────


async def careful(about: Json) -> Verdict | None:
    if about["text"] == "broken":
        raise KeyError
    return Verdict(decision="block", reason="no") if about["text"] == "bad" else None


HOOK: Hook = FunctionHook(point="turn_end", function=careful)


@pytest.mark.parametrize(
    ("text", "answer"), [("bad", b'{"decision":"block","reason":"no"}'), ("ok", b"")]
)
async def test_a_function_answers_as_a_webhook_does(
    text: str, answer: bytes, caller: Caller
) -> None:
    hooks = UserHooks(beside=caller.threads.beside)

    assert await hooks.ask(HOOK, b'{"text":"%s"}' % text.encode(), None) == answer


async def test_a_function_that_raises_has_not_answered() -> None:
    with pytest.raises(HookFailed, match="raised KeyError"):
        await UserHooks().ask(HOOK, b'{"text":"broken"}', None)
