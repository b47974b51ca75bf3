"""How a request to a webhook is signed, so that its reader knows who sent it, and when. Pure."""

import hashlib
import hmac
from typing import Final

HEADER: Final = "X-Mainspring-Signature"


def signature(secret: str, body: bytes, now_s: int) -> str:
    """`t=SECONDS,v1=HEX`: the HMAC-SHA256 of `SECONDS.BODY` under the secret."""
    digest = hmac.new(secret.encode(), f"{now_s}.".encode() + body, hashlib.sha256)
    return f"t={now_s},v1={digest.hexdigest()}"
