import socket
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

from mainspring_local.embedded.postgres import Postgres
from mainspring_testkit.fixtures import Database
from mainspring_testkit.servers import NatsServer, PostgresServer, free_port

ROOT = Path(__file__).resolve().parents[3]


def test_each_test_gets_its_own_migrated_database(database: Database) -> None:
    found = database.sql("select current_database()")

    assert found.strip() == database.name


def test_service_roles_log_in_with_their_own_passwords(database: Database) -> None:
    roles = database.sql("select rolname from pg_roles where rolcanlogin order by 1").split()

    assert {"api_run", "engine_run", "log_run", "scheduler_run", "verify_run"} <= set(roles)


def test_statement_statistics_hold_no_password(postgres: PostgresServer, template: str) -> None:
    found = postgres.sql(
        "select count(*) from pg_stat_statements where query ~ 'password ''[^$]'", database=template
    )

    assert found.strip() == "0"


def test_nats_greets_whoever_connects(nats: NatsServer) -> None:
    address = urlsplit(nats.url)
    assert address.hostname is not None
    assert address.port is not None

    with socket.create_connection((address.hostname, address.port), timeout=10) as connection:
        greeting = connection.makefile("rb").readline()

    assert greeting.startswith(b"INFO {")


def test_the_configuration_of_the_containers_nats_is_accepted() -> None:
    """`-t` reads it and listens on nothing."""
    server = Path(sys.executable).parent / "nats-server"

    told = subprocess.run(
        [str(server), "-t", "-c", str(ROOT / "infra" / "nats" / "nats.conf")],
        env={"NATS_PASSWORD": "p" * 32},
        capture_output=True,
        text=True,
        check=False,
    )

    assert told.returncode == 0, told.stderr
    assert "is valid" in told.stderr


def test_a_cluster_changes_no_mode_of_the_folders_above_it(tmp_path: Path) -> None:
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    folders = [private, *private.parents]
    before = [folder.stat() for folder in folders]

    Postgres(folder=private / "postgres", port=free_port(), password="p").initialise()

    after = [folder.stat() for folder in folders]
    assert [(s.st_mode, s.st_uid, s.st_gid) for s in after] == [
        (s.st_mode, s.st_uid, s.st_gid) for s in before
    ]
