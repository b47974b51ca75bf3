"""Pool, named queries, transactions and rows; the only importer of asyncpg."""

from mainspring_postgres.database import Database, Options
from mainspring_postgres.errors import (
    DeadlockFound,
    DurabilityOff,
    LockTimeout,
    MigrationsMissing,
    QueryFailed,
    StatementTimeout,
    UniqueViolation,
)
from mainspring_postgres.queries import Queries, Query, load_queries
from mainspring_postgres.rows import Row, RowMismatch, decode
from mainspring_postgres.statements import StatementCount
from mainspring_postgres.transaction import Transaction

__all__ = [
    "Database",
    "DeadlockFound",
    "DurabilityOff",
    "LockTimeout",
    "MigrationsMissing",
    "Options",
    "Queries",
    "Query",
    "QueryFailed",
    "Row",
    "RowMismatch",
    "StatementCount",
    "StatementTimeout",
    "Transaction",
    "UniqueViolation",
    "decode",
    "load_queries",
]
