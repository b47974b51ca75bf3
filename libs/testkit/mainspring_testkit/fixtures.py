"""The pytest fixtures every tier shares; loaded by tests/conftest.py.

Servers live for a session of one xdist worker. The migrations run once into a template; each test
that asks for `database` gets its own copy of it.
"""

import itertools
import os
from collections.abc import AsyncIterator, Iterator

import msgspec
import pytest
import pytest_socket

from mainspring_testkit import servers
from mainspring_testkit.servers import NatsServer, PostgresServer

PURE_TIERS = ("tidy", "unit", "property")
numbers = itertools.count(1)


class Database(msgspec.Struct, frozen=True, kw_only=True):
    """One migrated database of its own."""

    server: PostgresServer
    name: str

    def url(self, role: str | None = None) -> str:
        """As the superuser, or as a role such as `engine_run`."""
        return self.server.url(self.name, role=role)

    def sql(self, statement: str) -> str:
        return self.server.sql(statement, database=self.name)


@pytest.fixture(autouse=True)
def no_network_in_pure_tiers(request: pytest.FixtureRequest) -> Iterator[None]:
    """Unit and property tests reach no server, so that they stay fast and say what they need."""
    if request.path.relative_to(request.config.rootpath).parts[1] not in PURE_TIERS:
        yield
        return
    pytest_socket.disable_socket(allow_unix_socket=True)
    yield
    pytest_socket.enable_socket()


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    """A Postgres server of this xdist worker."""
    with servers.postgres(tmp_path_factory.mktemp("postgres")) as server:
        yield server


@pytest.fixture(scope="session")
def nats(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsServer]:
    """A NATS server of this xdist worker."""
    with servers.nats(tmp_path_factory.mktemp("nats")) as server:
        yield server


@pytest.fixture(scope="session")
async def template(postgres: PostgresServer) -> AsyncIterator[str]:
    """The name of a migrated database that nobody connects to, only copies."""
    name = f"template_{database_suffix()}"
    await postgres.migrate(name)
    yield name
    postgres.sql(f'drop database "{name}" with (force)')


@pytest.fixture
def database(postgres: PostgresServer, template: str) -> Iterator[Database]:
    """A fresh migrated database; dropped after the test."""
    yield from copies(postgres, template)


@pytest.fixture(scope="module")
def module_database(postgres: PostgresServer, template: str) -> Iterator[Database]:
    """As `database`, shared by the tests of one module."""
    yield from copies(postgres, template)


def copies(server: PostgresServer, template: str) -> Iterator[Database]:
    name = f"test_{database_suffix()}_{next(numbers)}"
    server.sql(f'create database "{name}" template "{template}"')
    # Rights on a database itself are not copied from its template.
    server.sql(f'revoke all on database "{name}" from public')
    server.sql(f'grant connect on database "{name}" to {", ".join(LOGIN_ROLES)}')
    yield Database(server=server, name=name)
    server.sql(f'drop database "{name}" with (force)')


LOGIN_ROLES = tuple(f"{name}_run" for name in servers.ROLE_PASSWORDS)


def database_suffix() -> str:
    """Unlike for every xdist worker and every session on a shared server."""
    return f"{os.environ.get('PYTEST_XDIST_WORKER', 'main')}_{os.getpid()}"
