"""Secrets: sealed by the newest key, opened by any, and by nobody who moved or changed them."""

import msgspec
import pytest

from mainspring_api.adapters.vault import EnvelopeVault
from mainspring_api.domain.secrets import Sealed
from mainspring_api.main import secret_keys
from mainspring_kernel.errors import EncryptionUnconfigured, SecretUnreadable

OLD, NEW = "an old key that is long enough for it", "a new key that is long enough for it"


def test_what_was_sealed_is_opened_for_the_same_thing_alone() -> None:
    vault = EnvelopeVault([NEW])
    sealed = vault.seal("hush", about="org/secret/1")

    assert vault.open(sealed, about="org/secret/1") == "hush"
    with pytest.raises(SecretUnreadable):
        vault.open(sealed, about="org/secret/2")


def test_equal_secrets_look_different() -> None:
    vault = EnvelopeVault([NEW])

    one, other = (vault.seal("hush", about="x") for _ in range(2))

    assert not {one.data, one.wrapped} & {other.data, other.wrapped}
    assert b"hush" not in msgspec.json.encode(one)
    assert "hush" not in repr(one)


def test_a_new_key_seals_and_the_old_one_still_opens() -> None:
    before = EnvelopeVault([OLD]).seal("hush", about="x")
    vault = EnvelopeVault([NEW, OLD])

    after = vault.seal("hush", about="x")

    assert vault.open(before, about="x") == vault.open(after, about="x") == "hush"
    assert before.key_id != after.key_id
    with pytest.raises(SecretUnreadable):
        EnvelopeVault([NEW]).open(before, about="x")


def test_what_an_old_key_sealed_is_wrapped_anew_and_needs_the_old_one_no_more() -> None:
    before = EnvelopeVault([OLD]).seal("hush", about="x")

    after = EnvelopeVault([NEW, OLD]).resealed(before, about="x")

    assert EnvelopeVault([NEW]).open(after, about="x") == "hush"
    assert [EnvelopeVault([NEW, OLD]).is_newest(one) for one in (before, after)] == [False, True]
    assert (after.data, after.wrapped != before.wrapped) == (before.data, True)
    with pytest.raises(SecretUnreadable):
        EnvelopeVault([NEW, OLD]).resealed(before, about="y")


@pytest.mark.parametrize("member", ["data", "wrapped"])
def test_a_changed_byte_is_noticed(member: str) -> None:
    vault = EnvelopeVault([NEW])
    sealed = vault.seal("hush", about="x")
    was: bytes = getattr(sealed, member)
    changed: Sealed = msgspec.structs.replace(sealed, **{member: was[:-1] + bytes([was[-1] ^ 1])})

    with pytest.raises(SecretUnreadable):
        vault.open(changed, about="x")


def test_without_a_key_nothing_is_taken() -> None:
    with pytest.raises(EncryptionUnconfigured):
        EnvelopeVault([]).seal("hush", about="x")


def test_keys_that_could_be_guessed_are_refused() -> None:
    assert secret_keys(f"{NEW}, {OLD},") == [NEW, OLD]
    assert secret_keys("") == []
    with pytest.raises(ValueError, match="32 characters"):
        secret_keys("short")
