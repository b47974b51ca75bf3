"""A service whose tables are not there, not all there, or not its own, does not say it is ready."""

import asyncio
import os
import sys
from asyncio.subprocess import PIPE
from collections.abc import Iterator

import pytest

from mainspring_postgres import Database as Connected
from mainspring_postgres import Options
from mainspring_postgres.migrations import MIGRATIONS
from mainspring_testkit.fixtures import Database, database_suffix
from mainspring_testkit.servers import PostgresServer, free_port

ROLES = {"api": "api", "engine": "engine", "eventstore": "log", "scheduler": "scheduler"}


@pytest.fixture
def empty(postgres: PostgresServer, template: str) -> Iterator[str]:
    """A database without our tables; whoever migrated the template has made the roles."""
    name = f"empty_{template}_{database_suffix()}"
    postgres.sql(f'create database "{name}"')
    yield name
    postgres.sql(f'drop database "{name}" with (force)')


async def ended(service: str, url: str) -> tuple[int | None, str]:
    """The exit status of a service on this database, and what it said."""
    nowhere = f"127.0.0.1:{free_port()}"
    names = ("ENGINE", "EVENTSTORE", "RESOURCE", "SCHEDULER")
    settings = {
        "DATABASE_URL": url,
        "NATS_URL": f"nats://{nowhere}",
        "API_PORT": str(free_port()),
        **{f"{name}_ADDR": nowhere for name in names},
        **{f"{name}_BIND": f"127.0.0.1:{free_port()}" for name in names},
    }
    plain = {k: v for k, v in os.environ.items() if not k.startswith("MAINSPRING_")}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", f"mainspring_{service}",
        env=plain | {f"MAINSPRING_{name}": value for name, value in settings.items()}, stderr=PIPE,
    )  # fmt: skip
    try:
        async with asyncio.timeout(30):
            _, said = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return process.returncode, said.decode()


@pytest.mark.parametrize("service", ROLES)
async def test_a_service_without_its_tables_does_not_start(
    postgres: PostgresServer, empty: str, service: str
) -> None:
    status, said = await ended(service, postgres.url(empty, role=f"{ROLES[service]}_run"))

    assert (status, f"{service} cannot start: " in said) == (1, True), said


@pytest.mark.parametrize("service", ROLES)
async def test_a_service_with_the_role_of_another_does_not_start(
    database: Database, service: str
) -> None:
    other = "api_run" if service != "api" else "engine_run"

    status, said = await ended(service, database.url(other))

    assert (status, f"{service} cannot start: " in said) == (1, True), said


@pytest.mark.parametrize("service", ROLES)
async def test_a_service_that_lacks_a_migration_names_it_and_does_not_start(
    database: Database, service: str
) -> None:
    newest = [name for name in MIGRATIONS if "_pre_" in name][-1]
    version = newest.partition("_")[0]
    database.sql(f"delete from schema_migrations where version = '{version}'")

    status, said = await ended(service, database.url(f"{ROLES[service]}_run"))

    told = f"{service} cannot start: The database lacks {newest}. Apply the migrations"
    assert (status, told in said) == (1, True), said


async def test_a_version_that_could_not_read_its_migrations_yet_is_told_by_the_first_that_lets_it(
    database: Database,
) -> None:
    database.sql("revoke select on schema_migrations from engine_run")

    status, said = await ended("engine", database.url("engine_run"))

    told = "The database lacks 20261129234500_pre_shared_read_migrations"
    assert (status, told in said) == (1, True), said


async def test_the_migrations_are_read_where_the_schema_public_is_closed(
    database: Database,
) -> None:
    database.sql("revoke usage on schema public from public")

    for role in ROLES.values():
        options = Options(
            url=database.url(f"{role}_run"), application_name="test", durability_required=False
        )
        opened = await Connected.open(options, migrated=True)
        await opened.close()


async def test_a_database_that_is_ahead_is_told_of(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    database.sql("insert into schema_migrations values ('29991231000000'), ('29991231000001')")

    options = Options(
        url=database.url("engine_run"), application_name="test", durability_required=False
    )
    opened = await Connected.open(options, migrated=True)
    await opened.close()

    (told,) = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert "ahead of this version: it has 29991231000000 and 1 more" in told
