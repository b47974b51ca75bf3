"""What operators read and write, over the pool that carries the turns as well."""

from mainspring_engine.adapters.postgres.inspection import PostgresInspection
from mainspring_engine.adapters.postgres.letters import PostgresLetters
from mainspring_engine.adapters.postgres.registry import PostgresRegistry
from mainspring_engine.adapters.postgres.snapshots import PostgresSnapshots
from mainspring_engine.ports.backstage import Backstage
from mainspring_postgres import Database


def postgres_backstage(database: Database) -> Backstage:
    return Backstage(
        registry=PostgresRegistry(database),
        inspection=PostgresInspection(database),
        letters=PostgresLetters(database),
        snapshots=PostgresSnapshots(database),
    )
