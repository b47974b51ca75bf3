"""One ledger in one order; a migration is pre or post, of one owner, and waits for no lock long."""

import re
from pathlib import PurePosixPath

import pytest

from tests.tidy import tree

FOLDER = "migrations/"
NAME = re.compile(r"^(\d{14})_(pre|post)_(shared|api|engine|log|scheduler)_[a-z0-9_]+\.sql$")
UP, DOWN = "-- migrate:up", "-- migrate:down"
TIMEOUTS = re.compile(
    r"\bset\s+(?:local\s+|session\s+)?(lock_timeout|statement_timeout)\b", re.IGNORECASE
)
ROLE = re.compile(r"^\s*(set\s+local\s+role|reset\s+role)\b", re.IGNORECASE | re.MULTILINE)
CONCURRENT = re.compile(r"\bconcurrently\b", re.IGNORECASE)


def migrations() -> list[str]:
    return [
        path
        for path in tree.files()
        if path.startswith(FOLDER) and path.endswith(".sql") and path != f"{FOLDER}schema.sql"
    ]


def misnamed(name: str) -> list[str]:
    wanted = "<timestamp>_{pre|post}_<owner>_<what>.sql"
    return [] if NAME.match(name) else [f"{name}: a migration is named {wanted}"]


def unbounded(name: str, text: str) -> list[str]:
    if UP not in text or DOWN not in text:
        return [f"{name}: needs a {UP} and a {DOWN} block"]
    up = text.partition(UP)[2].partition(DOWN)[0]
    code = "\n".join(line.partition("--")[0] for line in up.splitlines())
    missing = {"lock_timeout", "statement_timeout"} - {
        setting.lower() for setting in tree.matches(TIMEOUTS, code, 1)
    }
    complaints = [f"{name}: sets no {setting}" for setting in sorted(missing)]
    if CONCURRENT.search(code) and "transaction:false" not in text:
        complaints.append(f"{name}: a concurrent index cannot be built inside a transaction")
    return complaints


def unreturned(name: str, text: str) -> list[str]:
    """Blocks at whose end dbmate would not be itself: its own row is another's to write."""
    up, _, down = text.partition(DOWN)
    roles = {block: tree.matches(ROLE, code, 1)[-1:] for block, code in ((UP, up), (DOWN, down))}
    return [
        f"{name}: {block} ends as another role; reset it"
        for block, last in roles.items()
        if last and not last[0].lower().startswith("reset")
    ]


def test_migrations_say_when_and_whose_they_are() -> None:
    found = [finding for path in migrations() for finding in misnamed(PurePosixPath(path).name)]

    assert not found, "\n".join(found)


def test_migrations_have_one_order() -> None:
    stamps = [PurePosixPath(path).name[:14] for path in migrations()]

    assert len(stamps) == len(set(stamps)), "two migrations bear the same timestamp"


def test_migrations_bound_their_waits() -> None:
    found = [
        finding
        for path in migrations()
        for finding in unbounded(PurePosixPath(path).name, tree.text(path))
    ]

    assert not found, "\n".join(found)


def test_migrations_end_as_the_role_that_began_them() -> None:
    found = [
        finding
        for path in migrations()
        for finding in unreturned(PurePosixPath(path).name, tree.text(path))
    ]

    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    "name", ["1_pre_engine_x.sql", "20261122120000_engine_x.sql", "20261122120000_pre_web_x.sql"]
)
def test_a_wrong_name_is_found(name: str) -> None:
    assert misnamed(name)
    assert not misnamed("20261122120000_pre_engine_tables.sql")


GOOD = f"{UP}\nset local lock_timeout = '4s';\nset local statement_timeout = '5s';\n{DOWN}\n"


@pytest.mark.parametrize(
    "text",
    [
        GOOD.replace("set local lock_timeout = '4s';", ""),
        GOOD.replace("set local statement_timeout", "-- set local statement_timeout"),
        GOOD.replace(DOWN, ""),
        GOOD.replace(DOWN, f"create index concurrently i on t (a);\n{DOWN}"),
    ],
)
def test_an_unbounded_migration_is_found(text: str) -> None:
    assert unbounded("x.sql", text)
    assert not unbounded("x.sql", GOOD)


@pytest.mark.parametrize("block", [UP, DOWN])
def test_a_migration_that_keeps_a_role_is_found(block: str) -> None:
    taking = f"{block}\nset local role engine_owner;\n"

    assert unreturned("x.sql", GOOD.replace(f"{block}\n", taking))
    assert not unreturned("x.sql", GOOD.replace(f"{block}\n", f"{taking}reset role;\n"))
