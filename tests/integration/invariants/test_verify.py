"""What `mainspring verify` says of a whole database."""

import io

import pytest

from mainspring_local import verify
from mainspring_local.console import Console
from mainspring_local.invariants import checks
from mainspring_testkit.fixtures import Database
from tests.integration.conftest import BROKEN
from tests.integration.invariants.history import history
from tests.integration.invariants.test_invariants import LOOSE, VIOLATIONS


async def test_a_sound_database_is_told_rule_by_rule(database: Database) -> None:
    database.sql(LOOSE + history())
    said = io.StringIO()

    sound = await verify.everything(database.url("verify_run"), Console(said))

    told = {row[0]: row[1:] for line in said.getvalue().splitlines() if (row := line.split())}
    assert sound
    assert told["invariant"] == ["examined", "broken"]
    for query in checks.invariants():
        examined, violating = told[query.name]
        assert int(examined) > 0
        assert violating == "0"


@pytest.mark.unsound("breaks one on purpose")
async def test_what_is_broken_is_named(database: Database) -> None:
    database.sql(LOOSE + history() + VIOLATIONS["keys_name_their_message"])
    said = io.StringIO()

    sound = await verify.everything(database.url("verify_run"), Console(said))

    assert not sound
    assert "An idempotency key leads to an accepted message" in said.getvalue()
    assert "1 broken" in said.getvalue()
    assert database.sql(BROKEN).startswith("keys_name_their_message ")
