"""Migrations of a deployment: those before a version's services, and those behind the old ones."""

import asyncio
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mainspring_testkit.fixtures import database_suffix
from mainspring_testkit.servers import PostgresServer

ROOT = Path(__file__).parents[2]
PASSWORDS = {
    f"MAINSPRING_{role}_PASSWORD": "word"
    for role in ("API", "ENGINE", "LOG", "SCHEDULER", "VERIFY")
}
SCRIPT = ROOT / "infra/docker/migrate.sh"
VERSIONS = {path.name.partition("_")[0]: path.name for path in ROOT.glob("migrations/*_*.sql")}


@pytest.fixture
def name(postgres: PostgresServer, template: str) -> Iterator[str]:
    assert template, "whoever migrated it has made the roles"
    name = f"migrated_{database_suffix()}"
    postgres.sql(f'create database "{name}"')
    yield name
    postgres.sql(f'drop database "{name}" with (force)')


async def migrate(url: str, tools: Path, *words: str, passwords: dict[str, str] = PASSWORDS) -> int:
    """The script's exit status. The roles are there, with passwords that others use: no psql."""
    tools.mkdir(exist_ok=True)
    psql = tools / "psql"
    psql.write_text("#!/bin/sh\n")
    psql.chmod(0o755)
    path = f"{tools}:{Path(sys.executable).parent}:/usr/bin:/bin"
    environment = {"PATH": path, "DATABASE_URL": f"{url}?sslmode=disable"}
    process = await asyncio.create_subprocess_exec(
        "sh", str(SCRIPT), *words, env=environment | passwords
    )
    return await process.wait()


async def test_what_comes_before_and_what_comes_behind_are_applied_apart(
    postgres: PostgresServer, name: str, tmp_path: Path
) -> None:
    ledger = "select string_agg(version, ' ' order by version) from schema_migrations"
    url = postgres.url(name)

    before = await migrate(url, tmp_path / "tools", "pre")
    expanded = postgres.sql(ledger, database=name).split()
    behind = await migrate(url, tmp_path / "tools", "post")
    whole = postgres.sql(ledger, database=name).split()
    again = await migrate(url, tmp_path / "tools")

    assert (before, behind, again) == (0, 0, 0)
    assert expanded == [version for version in sorted(VERSIONS) if "_pre_" in VERSIONS[version]]
    assert whole == sorted(VERSIONS)


async def test_a_word_that_is_no_kind_applies_nothing(
    postgres: PostgresServer, name: str, tmp_path: Path
) -> None:
    status = await migrate(postgres.url(name), tmp_path / "tools", "all")

    untouched = postgres.sql("select to_regclass('schema_migrations') is null", database=name)
    assert (status, untouched.strip()) == (2, "t")


async def test_a_password_that_is_missing_is_named_before_anything_is_done(
    postgres: PostgresServer, name: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    passwords = {**PASSWORDS, "MAINSPRING_LOG_PASSWORD": ""}

    status = await migrate(postgres.url(name), tmp_path / "tools", passwords=passwords)

    untouched = postgres.sql("select to_regclass('schema_migrations') is null", database=name)
    assert (status, untouched.strip()) == (2, "t")
    assert "MAINSPRING_LOG_PASSWORD" in capfd.readouterr().err
