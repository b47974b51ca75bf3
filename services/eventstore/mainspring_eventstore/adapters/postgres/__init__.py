"""The event store's port over schema `log`."""

from mainspring_eventstore.adapters.postgres.store import PostgresStore

__all__ = ["PostgresStore"]
