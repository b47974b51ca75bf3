"""Postgres and NATS as containers, where a Docker daemon answers."""

import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from functools import cache

POSTGRES_IMAGE = "postgres:18"
NATS_IMAGE = "nats:2.15-alpine"
DAEMON_SECONDS_MAX = 5.0


@cache
def daemon_answers() -> bool:
    """Asks the daemon, because a client without a daemon is common."""
    try:
        asked = subprocess.run(
            ["docker", "version", "--format", "{{.Server.Version}}"],  # noqa: S607 -- the user's own
            capture_output=True,
            timeout=DAEMON_SECONDS_MAX,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return asked.returncode == 0 and bool(asked.stdout.strip())


@contextmanager
def postgres() -> Generator[str]:
    from testcontainers.community.postgres import PostgresContainer  # noqa: PLC0415 -- only with a daemon

    container = PostgresContainer(POSTGRES_IMAGE, driver=None).with_command(
        "postgres -c shared_preload_libraries=pg_stat_statements -c max_connections=200"
    )
    with container as running:
        yield str(running.get_connection_url())


@contextmanager
def nats() -> Generator[str]:
    from testcontainers.core.container import DockerContainer  # noqa: PLC0415 -- only with a daemon
    from testcontainers.core.wait_strategies import LogMessageWaitStrategy  # noqa: PLC0415 -- only with a daemon

    container = (
        DockerContainer(NATS_IMAGE)
        .with_exposed_ports(4222)
        .waiting_for(LogMessageWaitStrategy("Server is ready"))
    )
    with container as running:
        host = str(running.get_container_host_ip())
        yield f"nats://{host}:{running.get_exposed_port(4222)}"
