"""Values and secrets of a session, as tools ask for them: both stores answer alike."""

import pytest
from msgspec import structs

from mainspring_api.adapters.vault import EnvelopeVault
from mainspring_api.domain.secrets import SessionSecret
from mainspring_api.usecases import held_storage, secrets
from mainspring_kernel import errors
from mainspring_kernel.ids import DEFAULT_ORG_ID
from mainspring_schema.holdings import (
    Dropped,
    DropSecret,
    DropValue,
    GetValue,
    ListKeys,
    ListSecrets,
    MakeSecret,
    OpenedSecret,
    OpenSecret,
    PutValue,
    StoredKeys,
    StoredValue,
)
from mainspring_schema.limits import STORED_VALUE_BYTES_MAX
from tests.contract.api.conftest import NOW_MS
from tests.contract.api.test_held_resources import IDS, VAULT, Tool, tool

__all__ = ["tool"]


async def test_a_value_is_stored_read_replaced_and_dropped(tool: Tool) -> None:
    await tool.order(PutValue(key="b", value="1"), StoredValue)
    await tool.order(PutValue(key="a/x", value="2"), StoredValue)
    await tool.order(PutValue(key="b", value="3"), StoredValue)

    found = await tool.ask(GetValue(key="b"), StoredValue)
    keys = await tool.ask(ListKeys(), StoredKeys)
    below = await tool.ask(ListKeys(prefix="a/"), StoredKeys)
    gone = await tool.order(DropValue(key="b"), Dropped)
    again = await tool.order(DropValue(key="b"), Dropped)
    assert (found.value, found.updated_ms) == ("3", NOW_MS)
    assert (keys.keys, below.keys) == (("a/x", "b"), ("a/x",))
    assert (gone.dropped, again.dropped) == (True, False)
    assert (await tool.ask(GetValue(key="b"), StoredValue)).value is None


async def test_a_second_attempt_stores_nothing_anew(tool: Tool) -> None:
    order = PutValue(key="k", value="1")
    await tool.order(order, StoredValue, key="call")
    await tool.order(DropValue(key="k"), Dropped)

    await tool.order(order, StoredValue, key="call")
    assert (await tool.ask(GetValue(key="k"), StoredValue)).value is None


@pytest.mark.parametrize("key", ["", "x" * 201, "a\x00b", "a\nb"])
async def test_a_key_that_cannot_be_is_refused_and_holds_nothing(tool: Tool, key: str) -> None:
    with pytest.raises(errors.ValidationFailed):
        await tool.order(PutValue(key=key, value="1"), StoredValue)
    assert (await tool.ask(GetValue(key=key), StoredValue)).value is None


async def test_values_have_bounds(tool: Tool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(held_storage, "STORED_VALUES_MAX", 1)
    largest = "x" * STORED_VALUE_BYTES_MAX
    await tool.order(PutValue(key="a", value=largest), StoredValue)

    with pytest.raises(errors.Conflict):
        await tool.order(PutValue(key="b", value="1"), StoredValue)
    with pytest.raises(errors.PayloadTooLarge):
        await tool.order(PutValue(key="a", value=f"{largest}x"), StoredValue)
    await tool.order(PutValue(key="a", value="less"), StoredValue)


async def test_what_people_put_is_opened_by_name_alone(tool: Tool) -> None:
    async with tool.store.transaction(DEFAULT_ORG_ID) as tx:
        await secrets.put_all(
            tx, VAULT, tool.session.id, {"TOKEN": "hunter2"}, ids=IDS, now_ms=NOW_MS
        )

    opened = await tool.ask(OpenSecret(name="TOKEN"), OpenedSecret)
    assert (await tool.ask(ListSecrets(), StoredKeys)).keys == ("TOKEN",)
    assert opened.value == "hunter2"
    assert "hunter2" not in repr(opened)
    assert await tool.ask(OpenSecret(name="other"), OpenedSecret) == OpenedSecret()
    assert (await tool.order(DropSecret(name="TOKEN"), Dropped)).dropped
    assert await tool.ask(OpenSecret(name="TOKEN"), OpenedSecret) == OpenedSecret()


async def test_a_secret_that_was_made_is_in_no_answer_and_not_in_the_rows(tool: Tool) -> None:
    made = await tool.order(MakeSecret(name="key"), StoredKeys, key="call")
    value = (await tool.ask(OpenSecret(name="key"), OpenedSecret)).value
    assert value is not None

    again = await tool.order(MakeSecret(name="key"), StoredKeys, key="call")
    async with tool.store.transaction(DEFAULT_ORG_ID) as tx:
        kept = await tx.record_keyed(SessionSecret, tool.session.id, "key")
    assert kept is not None
    assert made == again == StoredKeys(keys=("key",))
    assert len(value) >= 32
    assert value.encode() not in kept.sealed.data + kept.sealed.wrapped
    assert (await tool.ask(OpenSecret(name="key"), OpenedSecret)).value == value


async def test_a_secret_is_not_made_over_another_one_or_under_a_name_of_no_kind(
    tool: Tool,
) -> None:
    await tool.order(MakeSecret(name="key"), StoredKeys)

    with pytest.raises(errors.Conflict):
        await tool.order(MakeSecret(name="key"), StoredKeys)
    with pytest.raises(errors.ValidationFailed):
        await tool.order(MakeSecret(name="a b"), StoredKeys)


async def test_without_a_key_of_the_house_nothing_is_sealed(tool: Tool) -> None:
    tool.keeper = structs.replace(tool.keeper, vault=EnvelopeVault([]))

    with pytest.raises(errors.EncryptionUnconfigured):
        await tool.order(MakeSecret(name="key"), StoredKeys)
    assert (await tool.ask(ListSecrets(), StoredKeys)).keys == ()
