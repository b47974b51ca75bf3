"""The engine's store in Postgres, schema `engine`."""

from mainspring_engine.adapters.postgres.store import PostgresStore

__all__ = ["PostgresStore"]
