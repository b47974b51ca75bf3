"""What the session log refuses."""

from mainspring_kernel.errors import MainspringError


class AppendRefused(MainspringError):
    """An append broke a promise of its caller; nothing was written. A bug, never bad input.

    The head is unknown, closed or of another organization, the sequence does not follow the head's,
    or a time lies below the head's. Postgres says the same with SQLSTATE MSL01.
    """

    code = "append_refused"
    status = 500
    title = "The log refused an append"
