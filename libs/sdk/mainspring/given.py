"""The arguments of a step: what it does to them stays within it.

A replay answers a step from its record and calls nothing. So code that handed over its own list
would find it longer after the first run, and as it was in every replay.
"""

import copy
import pickle
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Final, cast
from uuid import UUID

Arguments = tuple[tuple[object, ...], dict[str, object]]
_FIXED: Final = frozenset(
    {bool, bytes, date, datetime, Decimal, float, int, str, time, timedelta, type(None), UUID}
)
"""Of these nobody can change a value."""


class Given:
    """Arguments as they are now. Each attempt has its own."""

    __slots__ = ("_fixed", "_kept")

    def __init__(self, args: tuple[object, ...], kwargs: dict[str, object]) -> None:
        self._kept: Arguments | bytes = args, kwargs
        self._fixed = all(type(one) in _FIXED for one in (*args, *kwargs.values()))
        if not self._fixed:
            self._keep(args, kwargs)

    def _keep(self, args: tuple[object, ...], kwargs: dict[str, object]) -> None:
        try:
            # A tenth of the time of a copy by Python.
            self._kept = pickle.dumps((args, kwargs), pickle.HIGHEST_PROTOCOL)
        except Exception:  # noqa: BLE001 - a class that no module has, or one that will not
            self._kept = copy.deepcopy((args, kwargs))

    def once_more(self) -> Arguments:
        """For one attempt."""
        kept = self._kept
        if isinstance(kept, bytes):
            return cast("Arguments", pickle.loads(kept))  # noqa: S301 - written by this process
        return kept if self._fixed else copy.deepcopy(kept)
