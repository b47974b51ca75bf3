"""Each verb of `./task check` is given something to find: a check that cannot fail is no check."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from infra import check
from tests.integration.gate.spoiled import Copy

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

PLANTED = "libs/kernel/mainspring_kernel/planted.py"
QUERY = "libs/postgres/mainspring_postgres/planted.sql"
MIGRATION = "migrations/20990101000000_pre_engine_planted.sql"
CONTROL = "proto/mainspring/control/v1/control.proto"
SIGNALS = "libs/schema/mainspring_schema/workflows.py"
STUB = "libs/rpc/mainspring_rpc/generated/control/v1/control_pb2.pyi"


@dataclass(frozen=True, kw_only=True)
class Sin:
    """What is spoiled, which verb must notice, and what its output must name."""

    verb: str
    spoil: Callable[[Copy], None]
    named: str


def spoil_types(copy: Copy) -> None:
    copy.keep_only("libs/kernel/")
    copy.plant(PLANTED, "WIDTH: int = 'wide'\n")


def spoil_types_with_any(copy: Copy) -> None:
    copy.keep_only("libs/kernel/")
    copy.plant(PLANTED, "import json\n\nBODY = json.loads('{}')\n")


def spoil_query(copy: Copy) -> None:
    copy.keep_only("libs/")
    copy.plant(QUERY, "-- name: planted\n-- Shouts.\nSELECT 1 AS one;\n")


def spoil_migration(copy: Copy) -> None:
    copy.keep_only("libs/")
    copy.plant(
        MIGRATION,
        "-- migrate:up\nalter table engine.task add column planted integer not null;\n"
        "-- migrate:down\nalter table engine.task drop column planted;\n",
    )


def spoil_dump(copy: Copy) -> None:
    copy.change("migrations/schema.sql", "CREATE SCHEMA engine", "CREATE SCHEMA engines")


# In two pieces, or the check would find it here.
MISSPELLED = "t" + "eh"


SINS = {
    "an unformatted module": Sin(
        verb="fmt", spoil=lambda copy: copy.plant(PLANTED, "x = {  'a':1 }\n"), named="planted.py"
    ),
    "an unformatted proto": Sin(
        verb="fmt",
        spoil=lambda copy: copy.change(CONTROL, "syntax =", "syntax   ="),
        named="control.proto",
    ),
    "an unused import": Sin(
        verb="lint", spoil=lambda copy: copy.plant(PLANTED, "import json\n"), named="planted.py"
    ),
    "a wrong type": Sin(verb="types", spoil=spoil_types, named="planted.py"),
    "a value of unknown type": Sin(verb="types", spoil=spoil_types_with_any, named="planted.py"),
    "an import against the layers": Sin(
        verb="layers",
        spoil=lambda copy: copy.plant(PLANTED, "import mainspring_schema\n"),
        named="mainspring_kernel.planted",
    ),
    "a dependency nobody declared": Sin(
        verb="deps", spoil=lambda copy: copy.plant(PLANTED, "import httpx\n"), named="httpx"
    ),
    "a shouting query": Sin(verb="sql", spoil=spoil_query, named="planted.sql"),
    "a migration that locks": Sin(verb="sql", spoil=spoil_migration, named=Path(MIGRATION).name),
    "a dump of another schema": Sin(verb="gen", spoil=spoil_dump, named="migrations/schema.sql"),
    "an untidy proto": Sin(
        verb="proto",
        spoil=lambda copy: copy.plant(
            "proto/mainspring/planted.proto", 'syntax = "proto3";\npackage Planted;\n'
        ),
        named="planted.proto",
    ),
    "a field of another type": Sin(
        verb="proto",
        spoil=lambda copy: copy.change(CONTROL, "string code = 1", "bytes code = 1"),
        named="changed type",
    ),
    "a packed field of another name": Sin(
        verb="wire",
        spoil=lambda copy: copy.change(SIGNALS, "    signal_id: UUID\n", "    letter_id: UUID\n"),
        named="SignalWorkflow: signal_id is gone",
    ),
    "a stub of another proto": Sin(
        verb="gen",
        spoil=lambda copy: copy.change(STUB, "SWEEP_KIND_TIMERS", "SWEEP_KIND_CLOCKS"),
        named=f"{STUB} is stale",
    ),
    "requirements of another day": Sin(
        verb="gen",
        spoil=lambda copy: copy.change("requirements/worker.txt", "msgspec==", "msgspec==9."),
        named="requirements/worker.txt is stale",
    ),
    "a misspelled word": Sin(
        verb="docs",
        spoil=lambda copy: copy.change("README.md", "the", MISSPELLED),
        named="README.md",
    ),
    "a yaml key given twice": Sin(
        verb="docs",
        spoil=lambda copy: copy.change("docker-compose.yml", "volumes:", "name: x\nvolumes:"),
        named="docker-compose.yml",
    ),
    "a word that compose does not know": Sin(
        verb="docs",
        spoil=lambda copy: copy.change("docker-compose.yml", "healthcheck:", "healthy:"),
        named="'healthy' was unexpected",
    ),
    "an image of any version": Sin(
        verb="docs",
        spoil=lambda copy: copy.change("infra/docker/migrate.Dockerfile", "3.13-slim", "latest"),
        named="DL3007",
    ),
}


@pytest.mark.parametrize("sin", SINS.values(), ids=SINS.keys())
def test_a_sin_fails_its_verb(sin: Sin, tmp_path: Path) -> None:
    copy = Copy(tmp_path)
    sin.spoil(copy)
    copy.commit()

    status, output = copy.check(sin.verb)

    assert status == 1, output
    assert sin.named in output
    assert f"check: failed: {sin.verb}" in output.splitlines()


def test_every_verb_has_its_sin() -> None:
    assert {sin.verb for sin in SINS.values()} == set(check.CHECKS)


def test_a_verb_that_does_not_exist_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert check.main(["lynt"]) != 0

    assert "lynt" in capsys.readouterr().out
