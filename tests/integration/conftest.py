"""After each test of a database of its own: what it leaves behind breaks no invariant."""

from collections.abc import Iterator

import pytest

from mainspring_local.invariants import checks
from mainspring_testkit.fixtures import Database

UNSOUND = "unsound"
BROKEN = "\nunion all\n".join(
    f"select '{query.name} ' || unnest(violating) from ({query.sql.rstrip().rstrip(';')}) as asked"
    for query in checks.invariants()
)
"""Of every invariant the ids that break it, in one snapshot."""


@pytest.fixture(autouse=True)
def sound(request: pytest.FixtureRequest) -> Iterator[None]:
    """Asks the invariants at the end, but where the test is marked `unsound`, with its reason."""
    asked = "database" in request.fixturenames
    if not asked or any(mark.name == UNSOUND for mark in request.node.iter_markers()):
        yield
        return
    database: Database = request.getfixturevalue("database")
    yield
    assert database.sql(BROKEN) == ""
