"""What asyncpg raises, as errors of the house."""

import re
from collections.abc import Sequence
from typing import Final

import asyncpg

from mainspring_kernel.errors import MainspringError, Unavailable


class QueryFailed(MainspringError):
    """Postgres refused a statement; the SQLSTATE says why. A bug or bad data, not an outage."""

    def __init__(self, sqlstate: str, detail: str, constraint: str | None = None) -> None:
        super().__init__(
            f"{sqlstate}: {detail}", data={"sqlstate": sqlstate, "constraint": constraint}
        )
        self.sqlstate = sqlstate
        self.constraint = constraint


class UniqueViolation(QueryFailed):
    """A row with this key exists; `constraint` names the index."""


class LockTimeout(Unavailable):
    """A lock was not free within `lock_timeout`. Nothing was written."""


class StatementTimeout(Unavailable):
    """A statement ran into `statement_timeout`. Nothing was written."""


class DeadlockFound(Unavailable):
    """Postgres ended this transaction to free others. Nothing was written; run it again."""


class DurabilityOff(MainspringError):
    """The server may lose acknowledged commits, so no service works on it."""

    code = "durability_off"
    status = 500
    title = "The database is not durable"

    def __init__(self, settings: list[str]) -> None:
        super().__init__(
            f"Postgres runs with {', '.join(settings)}: acknowledged work could be lost. "
            "Set fsync, full_page_writes and synchronous_commit to on."
        )


class MigrationsMissing(MainspringError):
    """The database was not migrated as far as this version needs, so the service cannot work."""

    code = "migrations_missing"
    status = 500
    title = "The database lacks migrations"

    def __init__(self, missing: Sequence[str]) -> None:
        """`missing` names them, oldest first."""
        others = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        super().__init__(
            f"The database lacks {missing[0]}{others}. "
            "Apply the migrations of this version that are marked pre, then start again."
        )


_UNREACHABLE: Final = (
    asyncpg.InternalClientError,
    asyncpg.ClientConfigurationError,
    OSError,
    TimeoutError,
)
"""With a certificate that is not there yet, as it may be mounted late."""
_AWAY: Final = ("08", "53", "57P", "58")
"""Classes: connection exception, insufficient resources, operator intervention, system error."""
_AWAY_WORDS: Final = re.compile("clos|released back to the pool")
"""Of "connection is closed", "pool is closing", and of one that was lost while it was lent: asyncpg
has no class of its own for these."""
_AWAY_STATES: Final = frozenset({"25006", "25P03", "25P04"})
"""A standby that was just demoted, and sessions ended for idling in a transaction."""
_BY_STATE: Final[dict[str, type[Unavailable]]] = {
    "55P03": LockTimeout,
    "57014": StatementTimeout,
    "40001": DeadlockFound,
    "40P01": DeadlockFound,
}


def translate(error: BaseException) -> MainspringError | None:
    """The error of the house for one of asyncpg or the socket; None for a caller's mistake."""
    if isinstance(error, asyncpg.PostgresError):
        return _from_sqlstate(error)
    if isinstance(error, _UNREACHABLE):
        return Unavailable(f"Postgres cannot be reached: {str(error) or _wordless(error)}")
    if isinstance(error, asyncpg.InterfaceError) and _AWAY_WORDS.search(str(error)):
        return Unavailable(f"Postgres cannot be reached: {error}")
    return None


def _wordless(error: BaseException) -> str:
    return "no answer in time" if isinstance(error, TimeoutError) else type(error).__name__


def _from_sqlstate(error: asyncpg.PostgresError) -> MainspringError:
    state = error.sqlstate or "08000"
    named = _BY_STATE.get(state)
    if named is not None:
        return named(f"{state}: {error}")
    if state.startswith(_AWAY) or state in _AWAY_STATES:
        return Unavailable(f"Postgres cannot serve: {state}: {error}")
    kind = UniqueViolation if state == "23505" else QueryFailed
    return kind(state, str(error), error.constraint_name)


def lost_connection(error: MainspringError) -> bool:
    """Whether another connection may do better at once."""
    return type(error) is Unavailable
