"""Runtime tokens: what an application gives to the browser of one of its users, for a short time.

A token is sealed and stored nowhere. It ends with its time, with the key that made it, and with its
channel.
"""

import base64
from uuid import UUID

import msgspec

from mainspring_api.domain.channels import TOKEN_PREFIX, Channel, RuntimeToken, about_token
from mainspring_api.domain.limits import RUNTIME_TOKEN_S
from mainspring_api.domain.secrets import Sealed
from mainspring_api.ports.vault import Vault
from mainspring_kernel.errors import SecretUnreadable, Unauthenticated


def minted(vault: Vault, channel: Channel, *, caller_id: UUID, key_id: UUID, now_ms: int) -> str:
    """A token for one caller. Raises EncryptionUnconfigured."""
    expires_ms = now_ms + RUNTIME_TOKEN_S * 1000
    token = RuntimeToken(caller_id=caller_id, key_id=key_id, expires_ms=expires_ms)
    said = msgspec.json.encode(token).decode()
    sealed = msgspec.msgpack.encode(vault.seal(said, about=about_token(channel)))
    return TOKEN_PREFIX + base64.urlsafe_b64encode(sealed).decode()


def opened(vault: Vault, channel: Channel, text: str, *, now_ms: int) -> RuntimeToken:
    """Raises Unauthenticated for what is none of this channel's, and for one that is over."""
    try:
        data = base64.urlsafe_b64decode(text.removeprefix(TOKEN_PREFIX))
        sealed = msgspec.msgpack.decode(data, type=Sealed)
        said = vault.open(sealed, about=about_token(channel))
        token = msgspec.json.decode(said, type=RuntimeToken)
    except (ValueError, msgspec.MsgspecError, SecretUnreadable) as error:
        raise Unauthenticated from error
    if token.expires_ms <= now_ms:
        raise Unauthenticated
    return token
