"""Errors of control over a session: what people wanted of a turn or a message came too late."""

from mainspring_kernel.errors import MainspringError


class SessionBusy(MainspringError):
    """A message that was only for an idle session met a turn at work. Nothing was accepted."""

    code = "session_busy"
    status = 409
    title = "A turn is at work in this session"


class MessageTaken(MainspringError):
    """A message that was to be edited, moved or withdrawn waits no more: a turn has it."""

    code = "message_taken"
    status = 409
    title = "The message does not wait any more"
