"""After a restore an operator raises the epoch, so that no client resumes where others stand."""

import re
from pathlib import Path

from mainspring_eventstore.adapters.postgres.store import PostgresStore
from mainspring_testkit.fixtures import Database as OwnDatabase
from tests.integration.eventstore.conftest import opened

PAGE = Path(__file__).parents[3] / "docs/operations.md"


async def test_what_the_page_says_to_run_makes_older_positions_void(database: OwnDatabase) -> None:
    (statement,) = re.findall(r"-c '(update log\.store [^']+)'", PAGE.read_text())
    service = await opened(database, "log_run")
    before = await PostgresStore(service).epoch()

    database.sql(str(statement))

    assert await PostgresStore(service).epoch() == before + 1
    await service.close()
