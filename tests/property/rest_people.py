"""What people want of a session over REST, and what they remember of it."""

from msgspec import Struct

from tests.property.rest_world import Json, Request, Watch


class Said(Struct, kw_only=True):
    """`text` is what it says now, `body` what was posted."""

    key: str
    text: str
    body: Json
    withdrawn: bool = False


class Chat(Struct, kw_only=True):
    """A session as its people know it; `said` by the messages' ids."""

    id: str
    said: dict[str, Said]
    watches: list[Watch]
    gone: bool = False

    def at(self, what: str = "") -> str:
        return f"/sessions/{self.id}{what}"

    def newest(self, number: int) -> str | None:
        """A message that may still wait."""
        ids = list(self.said)[-3:]
        return ids[number % len(ids)] if ids else None


def content(text: str) -> Json:
    return {"content": [{"type": "text", "text": text}]}


def saying(chat: Chat, said: Said) -> Request:
    return "POST", chat.at("/messages"), said.body, {"idempotency_key": said.key}


def wanting(name: str, chat: Chat, id_: str, said: Said) -> Request:
    match name:
        case "say":
            return saying(chat, said)
        case "cancel":
            return "POST", chat.at("/cancel"), None, {}
        case "edit":
            return "PATCH", chat.at(f"/messages/{id_}"), content(f"{said.text} rather"), {}
        case "withdraw":
            return "DELETE", chat.at(f"/messages/{id_}"), None, {}
        case "fork":
            return "POST", chat.at("/fork"), {}, {}
        case _:
            return "DELETE", chat.at(), None, {}
