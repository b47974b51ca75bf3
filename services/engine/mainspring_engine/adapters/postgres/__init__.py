"""The engine's store in Postgres, schema `engine`."""

from mainspring_engine.adapters.postgres.backstage import postgres_backstage
from mainspring_engine.adapters.postgres.gates import PostgresGates
from mainspring_engine.adapters.postgres.store import PostgresStore

__all__ = ["PostgresGates", "PostgresStore", "postgres_backstage"]
