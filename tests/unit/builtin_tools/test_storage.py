"""What an agent keeps in its session beside files."""

from mainspring_harness.arguments import problems
from mainspring_harness.builtin.session_storage import SESSION_STORAGE
from tests.unit.builtin_tools.calling import Caller

STORE = "session_storage"


async def test_a_value_is_kept_until_it_is_deleted(caller: Caller) -> None:
    await caller.result(STORE, "kv_store", action="set", key="city", value="Oslo")

    got = await caller.result(STORE, "kv_store", action="get", key="city")
    listed = await caller.result(STORE, "kv_store", action="list", prefix="c")
    gone = await caller.result(STORE, "kv_store", action="delete", key="city")
    assert (got["value"], listed["keys"], gone["success"]) == ("Oslo", ["city"], True)
    assert "nothing is stored" in await caller.refusal(STORE, "kv_store", action="get", key="city")


async def test_what_an_action_lacks_is_told(caller: Caller) -> None:
    assert "needs a key" in await caller.refusal(STORE, "kv_store", action="get")
    assert "needs a value" in await caller.refusal(STORE, "kv_store", action="set", key="a")
    assert "needs a name" in await caller.refusal(STORE, "secret_store", action="generate")


async def test_a_secret_is_generated_unseen_and_deleted(caller: Caller) -> None:
    made = await caller.result(STORE, "secret_store", action="generate", name="token")

    listed = await caller.result(STORE, "secret_store", action="list")
    gone = await caller.result(STORE, "secret_store", action="delete", name="token")
    assert made == {"success": True, "name": "token", "names": ["token"]}
    assert (listed["names"], gone["success"]) == (["token"], True)


def test_a_model_may_ask_for_a_value_only_where_its_owner_said_so() -> None:
    _, hiding = SESSION_STORAGE.tools({})
    _, revealing = SESSION_STORAGE.tools({"reveal_secrets": True})
    asked = {"action": "get", "name": "token"}

    assert problems("secret_store", hiding.parameters, asked)
    assert problems("secret_store", revealing.parameters, asked) == ()
