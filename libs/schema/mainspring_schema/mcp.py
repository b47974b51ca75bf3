"""MCP servers as agents name them, and what their sessions keep of the tools that they offered."""

from msgspec import Struct, field, structs

from mainspring_schema.asking import Order, Question
from mainspring_schema.messages import Json


class McpServer(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How a worker reaches a server: by `url`, or by a `command` that its operator has allowed.

    Never with a secret: `${secret:NAME}` in a header or variable stands for one of the session's,
    and `id` for a server of the organization, whose sealed key is asked for when it is called.
    `tools_hash` is what the offered tools must hash to, where somebody said so beforehand.
    """

    id: str | None = None
    url: str | None = None
    headers: dict[str, str] = field(default_factory=dict)
    command: str | None = None
    args: tuple[str, ...] = ()
    env: dict[str, str] = field(default_factory=dict)
    allowed_tools: tuple[str, ...] | None = None
    tools_hash: str | None = None
    timeout_seconds: int | None = None

    def of_record(self, id_: str) -> "McpServer":
        """The same as a server that the organization keeps."""
        return structs.replace(self, id=id_)


class ServedTool(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A tool as its server describes it. The hints are the server's claims."""

    name: str
    title: str | None = None
    description: str = ""
    input_schema: Json = field(default_factory=dict)
    readonly: bool | None = None
    destructive: bool | None = None
    idempotent: bool | None = None
    open_world: bool | None = None


class ToolPin(Struct, frozen=True, kw_only=True):
    """The tools of a server as a session first saw them. `hash` covers all that is told of them.

    `source` is a hash of how the server is reached: another one is another server.
    """

    server: str
    source: str
    hash: str
    tools: tuple[ServedTool, ...]


class ToolPins(Struct, frozen=True, kw_only=True):
    """By server, in the order of names."""

    pins: tuple[ToolPin, ...]

    def of(self, server: str) -> ToolPin | None:
        """What was pinned of a server."""
        return next((pin for pin in self.pins if pin.server == server), None)


class ServerKey(Struct, frozen=True, kw_only=True):
    """What opens a server of the organization; None where it needs nothing."""

    api_key: str | None = None

    def __repr__(self) -> str:
        """Without the value, which must not end in a log."""
        return f"ServerKey({'...' if self.api_key is not None else None})"


class ListPins(Question[ToolPins], frozen=True, kw_only=True, tag="list_pins"):
    """All that the session whose task is held has pinned."""


class PinTools(Order[ToolPins], frozen=True, kw_only=True, tag="pin_tools"):
    """Pins what servers offer; a pin from the same source stays. Answers with all of them.

    Raises PayloadTooLarge, Conflict where the session has pinned too many servers.
    """

    pins: tuple[ToolPin, ...]


class OpenServer(Question[ServerKey], frozen=True, kw_only=True, tag="open_server"):
    """What opens a server of the organization. Raises NotFound, SecretUnreadable."""

    id: str
