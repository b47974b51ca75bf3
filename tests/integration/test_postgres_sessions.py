"""Sessions of Postgres where the database prefers something, or a certificate is nowhere."""

from pathlib import Path

import pytest

from mainspring_kernel.errors import Unavailable
from mainspring_postgres import Database
from mainspring_testkit.fixtures import database_suffix
from mainspring_testkit.servers import PostgresServer, free_port
from tests.integration.test_postgres_library import options, query


async def test_a_session_reads_what_others_committed_whatever_the_database_prefers(
    postgres: PostgresServer,
) -> None:
    name = f"strict_{database_suffix()}"
    postgres.sql(f'create database "{name}"')
    postgres.sql(f"alter database \"{name}\" set default_transaction_isolation = 'serializable'")
    database = await Database.open(options(postgres.url(name)))
    shown = await database.fetchval_as(str, query("show transaction_isolation"))
    await database.close()
    postgres.sql(f'drop database "{name}" with (force)')

    assert shown == "read committed"


async def test_a_certificate_that_is_nowhere_is_told_in_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    url = f"postgresql://x:y@127.0.0.1:{free_port()}/z?sslmode=verify-full"

    with pytest.raises(Unavailable, match=r"\.postgresql/root\.crt"):
        await Database.open(options(url, start_s=0.1))
