"""Finds a real Postgres and a real NATS for tests.

In this order: an address in the environment (MAINSPRING_TEST_DATABASE_URL of a superuser,
MAINSPRING_TEST_NATS_URL), a container where a Docker daemon answers, the embedded wheels. No test
is skipped because one of them is missing.
"""

import os
import secrets
import subprocess
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from itertools import cycle
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import msgspec

from mainspring_local import migrations
from mainspring_local.embedded.nats import Nats
from mainspring_local.embedded.postgres import Postgres, binary
from mainspring_local.environment import project_root
from mainspring_local.sockets import LOOPBACK, bind_problem
from mainspring_testkit import containers
from mainspring_testkit.processes import ServerProcess

PASSWORD = "test"  # noqa: S105 -- of servers that live as long as one test session
PORTS: Final = range(10_000, 20_000, 2)
"""Below those that stacks draw. The next one of each is for the engine beside an API."""
RUNNERS_MAX: Final = 8
"""Processes of one test run that have ports of their own."""
TEST_SETTINGS = {"log_min_messages": "fatal"}
ROLE_PASSWORDS: dict[str, str] = dict.fromkeys(migrations.ROLE_NAMES, PASSWORD)


class PostgresServer(msgspec.Struct, frozen=True, kw_only=True):
    host: str
    port: int
    user: str
    password: str
    process: ServerProcess | None = None
    """Only of an embedded server: what a test may stop, kill and start."""

    def url(self, database: str, *, role: str | None = None) -> str:
        """The address of a database, as the superuser or as one of our roles (`engine_run`)."""
        user, word = (role, PASSWORD) if role else (self.user, self.password)
        return f"postgresql://{user}:{word}@{self.host}:{self.port}/{database}"

    def sql(self, statement: str, *, database: str = "postgres") -> str:
        """Runs a statement as the superuser; what psql prints, bare."""
        return self._client().psql("-c", statement, database=database)

    async def migrate(self, database: str) -> None:
        """Creates the database with our roles and every migration."""
        client = self._client()
        migrations.create_database(client, database)
        migrations.create_roles(client, project_root(), ROLE_PASSWORDS, database)
        await migrations.apply(client, project_root(), lambda _line: None, database)

    def _client(self) -> Postgres:
        return Postgres(
            folder=Path(),
            host=self.host,
            port=self.port,
            user=self.user,
            password=self.password,
            environment=dict(os.environ),
        )


class NatsServer(msgspec.Struct, frozen=True, kw_only=True):
    url: str
    process: ServerProcess | None = None


@contextmanager
def postgres(folder: Path) -> Generator[PostgresServer]:
    """A server for as long as the context lasts; `folder` takes its data if it is embedded."""
    given = os.environ.get("MAINSPRING_TEST_DATABASE_URL")
    if given:
        yield server_at(given)
        return
    if containers.daemon_answers():
        with containers.postgres() as url:
            yield server_at(url)
        return
    with embedded_postgres(folder) as server:
        yield server


@contextmanager
def nats(folder: Path) -> Generator[NatsServer]:
    given = os.environ.get("MAINSPRING_TEST_NATS_URL")
    if given:
        yield NatsServer(url=given)
        return
    if containers.daemon_answers():
        with containers.nats() as url:
            yield NatsServer(url=url)
        return
    with embedded_nats(folder) as server:
        yield server


@contextmanager
def embedded_postgres(folder: Path) -> Generator[PostgresServer]:
    """Also asked for by name: tests that crash the server need one of their own."""
    embedded = Postgres(
        folder=folder,
        port=free_port(),
        password=PASSWORD,
        environment=dict(os.environ),
        settings=TEST_SETTINGS,
    )
    embedded.initialise()
    process = ServerProcess(embedded.program(), embedded.ready, folder / "postgres.log")
    process.start()
    try:
        yield PostgresServer(
            host=embedded.host,
            port=embedded.port,
            user=embedded.user,
            password=PASSWORD,
            process=process,
        )
    finally:
        process.stop()


@contextmanager
def embedded_nats(folder: Path, password: str = PASSWORD) -> Generator[NatsServer]:
    embedded = Nats(
        folder=folder, port=free_port(), password=password, environment=dict(os.environ)
    )
    process = ServerProcess(embedded.program(), embedded.ready, folder / "nats.log")
    process.start()
    try:
        yield NatsServer(url=embedded.url, process=process)
    finally:
        process.stop()


def server_at(url: str) -> PostgresServer:
    parts = urlsplit(url)
    return PostgresServer(
        host=parts.hostname or "127.0.0.1",
        port=parts.port or 5432,
        user=parts.username or "postgres",
        password=parts.password or "",
    )


PARTITIONS = "select oid::regclass from pg_class where relispartition and relkind = 'r'"


def schema_of(server: PostgresServer, database: str) -> str:
    """What pg_dump writes for a database, without data and without partitions.

    Partitions are made for the weeks around today, so they would differ with every dump.
    """
    partitions = server.sql(PARTITIONS, database=database).split()
    done = subprocess.run(
        [
            str(binary("pg_dump")),
            "--schema-only",
            "--no-comments",
            *(f"--exclude-table={name}" for name in partitions),
            server.url(database),
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def free_port() -> int:
    """One that nothing has, and that nothing else is given before it is used.

    Each process of a test run has ports of its own, in turn; stacks draw theirs elsewhere. Raises
    OSError where none is free.
    """
    for _ in range(len(PORTS)):
        port = next(_TURN)
        if bind_problem(LOOPBACK, port) is None:
            return port
    message = f"no port of {PORTS} is free"
    raise OSError(message)


def _own() -> range:
    """A part of them, from anywhere on: other runs may be under way on this machine."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")
    return PORTS[int(worker) % RUNNERS_MAX :: RUNNERS_MAX]


def _in_turn(ports: range) -> Iterator[int]:
    begin = secrets.randbelow(len(ports))
    return cycle((*ports[begin:], *ports[:begin]))


_TURN: Final = _in_turn(_own())
