"""Roles, then the one ledger of migrations, applied by dbmate."""

import asyncio
import sys
from asyncio.subprocess import PIPE, STDOUT
from collections.abc import Callable
from pathlib import Path

from mainspring_local.embedded.postgres import DATABASE, Postgres
from mainspring_local.errors import StartProblem

ROLE_NAMES = ("api", "engine", "log", "scheduler", "verify")


def create_database(server: Postgres, database: str = DATABASE) -> None:
    known = server.psql("-c", "select datname from pg_database", database="postgres").split()
    if database not in known:
        server.psql("-c", f'create database "{database}"', database="postgres")


def create_roles(
    server: Postgres, root: Path, passwords: dict[str, str], database: str = DATABASE
) -> None:
    folder = root / "infra" / "postgres"
    words = {f"MAINSPRING_{name.upper()}_PASSWORD": passwords[name] for name in ROLE_NAMES}
    server.psql("-f", str(folder / "extensions.sql"), database=database)
    server.psql("-f", str(folder / "roles.sql"), database=database, environment=words)


async def apply(
    server: Postgres, root: Path, say: Callable[[str], None], database: str = DATABASE
) -> None:
    """Applies what is pending, in the order of the versions. Raises StartProblem."""
    process = await asyncio.create_subprocess_exec(
        str(Path(sys.executable).parent / "dbmate"),
        "--no-dump-schema",
        "--migration-lock",
        f"--migrations-dir={root / 'migrations'}",
        "up",
        # Not --strict: a version's `post` comes when later `pre` were applied.
        # Not an argument, because a command line can be read by every user of the machine.
        env=server.environment
        | {"DATABASE_URL": f"{server.url(database=database)}?sslmode=disable"},
        stdout=PIPE,
        stderr=STDOUT,
    )
    assert process.stdout is not None  # noqa: S101 -- asked for with PIPE
    lines: list[str] = []
    async for raw in process.stdout:
        lines.append(raw.decode(errors="replace").rstrip())
        if lines[-1].startswith("Applying"):
            say(lines[-1].lower())
    if await process.wait() != 0:
        raise StartProblem(f"migrations failed: {' '.join(lines[-3:])}")
