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

    def open(self, sealed: Sealed, *, about: str) -> str:
        key = self._keys.get(sealed.key_id)
        if key is None:
            msg = f"key {sealed.key_id} is not in the settings"
            raise SecretUnreadable(msg)
        try:
            own = _decrypted(key, sealed.wrapped, about)
            return _decrypted(AESGCM(own), sealed.data, about).decode()
        except InvalidTag as error:
            msg = "the secret was changed, or belongs to something else"
            raise SecretUnreadable(msg) from error

    def _encrypted(self, key: AESGCM, data: bytes, about: str) -> bytes:
        nonce = self._randbytes(_NONCE_BYTES)
        return nonce + key.encrypt(nonce, data, about.encode())


def _decrypted(key: AESGCM, data: bytes, about: str) -> bytes:
    return key.decrypt(data[:_NONCE_BYTES], data[_NONCE_BYTES:], about.encode())


def _derived(key: str) -> bytes:
    stretch = HKDF(algorithm=SHA256(), length=_KEY_BYTES, salt=None, info=b"mainspring secrets")
    return stretch.derive(key.encode())


def _id_of(key: bytes) -> str:
    return hashlib.sha256(b"id:" + key).hexdigest()[:12]
