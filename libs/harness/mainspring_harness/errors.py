"""What can be wrong with a configuration or with a conversation."""

from mainspring_kernel.errors import MainspringError


class UnknownCapability(MainspringError):
    """A tier names a capability that this version does not have; the detail names the ref."""

    code = "unknown_capability"
    status = 422
    title = "Unknown capability"

    def __init__(self, ref: str, *, needed_by: str | None = None) -> None:
        by = f" (needed by {needed_by!r})" if needed_by else ""
        super().__init__(f"unknown capability {ref!r}{by}", data={"ref": ref})


class CapabilityCycle(MainspringError):
    """Capabilities depend on each other in a circle; the detail names the circle."""

    code = "capability_cycle"
    status = 422
    title = "Capabilities depend on each other in a circle"

    def __init__(self, path: tuple[str, ...]) -> None:
        super().__init__(" -> ".join(path), data={"ref": path[0]})


class TooManyCapabilities(MainspringError):
    """The capabilities of an agent with all they depend on are more than the bound."""

    code = "too_many_capabilities"
    status = 422
    title = "Too many capabilities"

    def __init__(self, count_max: int) -> None:
        super().__init__(
            f"an agent may have at most {count_max} capabilities, dependencies included",
            data={"count_max": count_max},
        )


class CapabilityConflict(MainspringError):
    """Two capabilities of an agent bring a tool of the same name; the detail names all three."""

    code = "capability_conflict"
    status = 422
    title = "Capabilities conflict"

    def __init__(self, tool: str, first: str, second: str) -> None:
        super().__init__(
            f"{first!r} and {second!r} both bring a tool {tool!r}: leave one of them out",
            data={"ref": second, "tool": tool},
        )


class InvalidCapabilityConfig(MainspringError):
    """A capability's configuration breaks its schema or its own rules."""

    code = "invalid_capability_config"
    status = 422
    title = "Invalid capability configuration"

    def __init__(self, ref: str, problems: tuple[str, ...]) -> None:
        super().__init__(f"capability {ref!r}: {'; '.join(problems)}", data={"ref": ref})


class CapabilityUnusable(MainspringError):
    """A capability of one's own cannot be had as it is; the service does not start.

    The module is missing, what it holds is no capability, or its name is taken: the detail says so.
    """

    code = "capability_unusable"
    status = 500
    title = "A capability of one's own cannot be used"

    def __init__(self, entry: str, problem: str) -> None:
        super().__init__(f"MAINSPRING_CAPABILITIES: {entry}: {problem}", data={"entry": entry})


class MessageFilterBroken(MainspringError):
    """The message filter of a capability failed, or left what no model can be shown."""

    code = "message_filter_broken"
    status = 500
    title = "The message filter of a capability is broken"

    def __init__(self, ref: str, problem: str) -> None:
        super().__init__(f"the message filter of {ref!r}: {problem}", data={"ref": ref})


class InvalidToolSchema(MainspringError):
    """The parameters of a tool are no JSON Schema, or one that refers outside of itself."""

    code = "invalid_tool_schema"
    status = 422
    title = "Invalid tool schema"

    def __init__(self, tool: str, problem: str) -> None:
        super().__init__(f"tool {tool!r}: {problem}", data={"tool": tool})


class ToolsetUnknown(MainspringError):
    """An agent names a set of tools that no worker has announced; the message was not taken.

    The worker was never started, or spells the name in another way. Send it again once one has.
    """

    code = "toolset_unknown"
    status = 409
    title = "No worker has announced these tools"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"no worker has announced the toolset {name!r} yet: start one with it",
            data={"toolset": name},
        )


class InvalidMcpServer(MainspringError):
    """A configuration of an MCP server that cannot be used, or a server that lies about itself."""

    code = "invalid_mcp_server"
    status = 422
    title = "Invalid MCP server"

    def __init__(self, name: str, problem: str) -> None:
        super().__init__(f"MCP server {name[:64]!r}: {problem}", data={"server": name[:64]})


class TranscriptBroken(MainspringError):
    """The events cannot be folded into a prompt: a call without its one result, or a gap.

    Building a model step from such a transcript is a bug of ours, never of a client.
    """

    code = "transcript_broken"
    status = 500
    title = "The conversation cannot be read"
