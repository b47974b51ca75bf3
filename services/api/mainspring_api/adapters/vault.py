"""Envelope encryption: AES-256-GCM under a key for each secret, that key under one of the house."""

import hashlib
import os
from collections.abc import Callable, Sequence
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from mainspring_api.domain.secrets import Sealed
from mainspring_kernel.errors import EncryptionUnconfigured, SecretUnreadable

KEY_CHARS_MIN: Final = 32
"""Of a key in the settings: shorter ones could be guessed."""
_KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 12


class EnvelopeVault:
    """The first of `keys` seals; the others open what was sealed before it came.

    Keys are texts of high entropy, stretched by HKDF; a key's id is a digest of it.
    """

    def __init__(self, keys: Sequence[str], randbytes: Callable[[int], bytes] = os.urandom) -> None:
        derived = [_derived(key) for key in keys]
        self._keys = {_id_of(key): AESGCM(key) for key in derived}
        self._newest = _id_of(derived[0]) if derived else None
        self._randbytes = randbytes

    def make(self) -> str:
        return self._randbytes(_KEY_BYTES).hex()

    def seal(self, secret: str, *, about: str) -> Sealed:
        if self._newest is None:
            raise EncryptionUnconfigured
        own = self._randbytes(_KEY_BYTES)
        return Sealed(
            key_id=self._newest,
            wrapped=self._encrypted(self._keys[self._newest], own, about),
            data=self._encrypted(AESGCM(own), secret.encode(), about),
        )

    @property
    def has_older_keys(self) -> bool:
        return len(self._keys) > 1

    def is_newest(self, sealed: Sealed) -> bool:
        return sealed.key_id == self._newest

    def resealed(self, sealed: Sealed, *, about: str) -> Sealed:
        if self._newest is None:
            raise EncryptionUnconfigured
        # The secret's own key goes into another wrapping; the secret itself is not opened.
        own = self._own_key(sealed, about)
        wrapped = self._encrypted(self._keys[self._newest], own, about)
        return Sealed(key_id=self._newest, wrapped=wrapped, data=sealed.data)

    def open(self, sealed: Sealed, *, about: str) -> str:
        own = AESGCM(self._own_key(sealed, about))
        return _decrypted(own, sealed.data, about).decode()

    def _own_key(self, sealed: Sealed, about: str) -> bytes:
        key = self._keys.get(sealed.key_id)
        if key is None:
            msg = f"key {sealed.key_id} is not in the settings"
            raise SecretUnreadable(msg)
        return _decrypted(key, sealed.wrapped, about)

    def _encrypted(self, key: AESGCM, data: bytes, about: str) -> bytes:
        nonce = self._randbytes(_NONCE_BYTES)
        return nonce + key.encrypt(nonce, data, about.encode())


def _decrypted(key: AESGCM, data: bytes, about: str) -> bytes:
    try:
        return key.decrypt(data[:_NONCE_BYTES], data[_NONCE_BYTES:], about.encode())
    except InvalidTag as error:
        msg = "the secret was changed, or belongs to something else"
        raise SecretUnreadable(msg) from error


def _derived(key: str) -> bytes:
    stretch = HKDF(algorithm=SHA256(), length=_KEY_BYTES, salt=None, info=b"mainspring secrets")
    return stretch.derive(key.encode())


def _id_of(key: bytes) -> str:
    return hashlib.sha256(b"id:" + key).hexdigest()[:12]
