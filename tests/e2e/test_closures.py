"""Each service starts from its own closure alone: an image needs nothing else."""

import os
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from http import HTTPStatus
from http.client import HTTPConnection
from pathlib import Path

import pytest

from mainspring_local.program import Program
from mainspring_testkit.fixtures import Database
from mainspring_testkit.processes import ServerProcess
from mainspring_testkit.servers import NatsServer, free_port
from tests.e2e import closures

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
ROLES = {
    "api": "api_run",
    "engine": "engine_run",
    "eventstore": "log_run",
    "scheduler": "scheduler_run",
}
ALLOWED_SIBLINGS = {
    "api": {"harness", "kernel", "messaging", "postgres", "rpc", "runtime", "schema"},
    "engine": {"kernel", "messaging", "postgres", "rpc", "runtime", "schema"},
    "eventstore": {"kernel", "messaging", "postgres", "rpc", "runtime", "schema"},
    "scheduler": {"kernel", "messaging", "postgres", "rpc", "runtime", "schema"},
    "worker": {"harness", "kernel", "rpc", "runtime", "schema", "workstream"},
}


@pytest.mark.parametrize("service", sorted(ALLOWED_SIBLINGS))
def test_service_answers_health_from_its_own_closure(
    service: str, tmp_path: Path, database: Database, nats: NatsServer
) -> None:
    python = closures.install(service, tmp_path / "venv")
    siblings = closures.members_of(python) - {service}
    assert siblings <= ALLOWED_SIBLINGS[service]

    environment = settings(service, tmp_path, database, nats)
    with started(service, python, environment, tmp_path / "log") as process:
        status = process.stop()

    assert status == 0, (tmp_path / "log").read_text()[-2000:]


def settings(service: str, folder: Path, database: Database, nats: NatsServer) -> dict[str, str]:
    """Its siblings do not run here: a service that waits for them is healthy without them."""
    values = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "MAINSPRING_HOME": str(folder),
        "MAINSPRING_ENGINE_ADDR": f"127.0.0.1:{free_port()}",
        "MAINSPRING_RESOURCE_ADDR": f"127.0.0.1:{free_port()}",
        "MAINSPRING_EVENTSTORE_ADDR": f"127.0.0.1:{free_port()}",
        "MAINSPRING_SCHEDULER_ADDR": f"127.0.0.1:{free_port()}",
    }
    if service in ROLES:
        values["MAINSPRING_DATABASE_URL"] = database.url(ROLES[service])
        values["MAINSPRING_NATS_URL"] = nats.url
    if service == "api":
        values["MAINSPRING_API_HOST"] = "127.0.0.1"
        values["MAINSPRING_API_PORT"] = str(free_port())
        values["MAINSPRING_RESOURCE_BIND"] = f"127.0.0.1:{free_port()}"
    else:
        values[f"MAINSPRING_{service.upper()}_BIND"] = f"127.0.0.1:{free_port()}"
    return values


@contextmanager
def started(
    service: str, python: Path, environment: dict[str, str], log: Path
) -> Generator[ServerProcess]:
    def ready() -> bool:
        if service == "api":
            return http_ready(int(environment["MAINSPRING_API_PORT"]))
        return grpc_ready(environment[f"MAINSPRING_{service.upper()}_BIND"])

    async def unused() -> bool:
        return ready()

    program = Program(
        name=service,
        argv=(str(python), "-m", f"mainspring_{service}"),
        environment=environment,
        healthy=unused,
    )
    process = ServerProcess(program, ready, log)
    try:
        process.start()
        yield process
    finally:
        process.stop()


def http_ready(port: int) -> bool:
    connection = HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status == HTTPStatus.OK
    except OSError:
        return False
    finally:
        connection.close()


def grpc_ready(address: str) -> bool:
    probe = [sys.executable, "-m", "mainspring_rpc.probe", address]
    return subprocess.run(probe, capture_output=True, check=False).returncode == 0
