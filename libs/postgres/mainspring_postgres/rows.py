"""Records become structs here: the one place where asyncpg's `Any` is closed.

Columns must be exactly the struct's fields, and each value must have the field's type, so a query
that drifts from its struct fails at its first row and not somewhere behind it.
"""

from collections.abc import Sequence
from typing import TypeVar

import asyncpg
import msgspec

from mainspring_kernel.errors import MainspringError

Row = asyncpg.Record
T = TypeVar("T")
S = TypeVar("S", bound=msgspec.Struct)


class RowMismatch(MainspringError):
    """A query's columns are not the fields of the struct it fills. A bug, never bad input."""

    def __init__(self, what: str, why: str) -> None:
        super().__init__(f"{what}: {why}")


def decode(struct: type[S], rows: Sequence[Row]) -> list[S]:
    """The rows as structs. Raises RowMismatch."""
    if not rows:
        return []
    _check_columns(struct, rows[0])
    try:
        return msgspec.convert([dict(row) for row in rows], list[struct])
    except msgspec.ValidationError as error:
        raise RowMismatch(struct.__name__, str(error)) from error


def decode_value(type_: type[T], value: object) -> T:
    """One value, checked. Raises RowMismatch."""
    try:
        return msgspec.convert(value, type_)
    except msgspec.ValidationError as error:
        raise RowMismatch(getattr(type_, "__name__", str(type_)), str(error)) from error


def _check_columns(struct: type[msgspec.Struct], row: Row) -> None:
    columns, fields = set(row.keys()), set(struct.__struct_encode_fields__)
    if columns != fields:
        missing, foreign = sorted(fields - columns), sorted(columns - fields)
        raise RowMismatch(struct.__name__, f"columns missing {missing}, not known {foreign}")
