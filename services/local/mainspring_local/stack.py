"""The five services and the two servers on one machine: what each gets, and who waits for whom."""

import asyncio
import sys
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from pathlib import Path

import msgspec

from mainspring_local import home as homes
from mainspring_local import migrations, sockets
from mainspring_local.console import Console
from mainspring_local.embedded.nats import Nats
from mainspring_local.embedded.postgres import Postgres
from mainspring_local.environment import Settings, project_root
from mainspring_local.errors import StartProblem
from mainspring_local.program import Program
from mainspring_local.supervisor import Supervisor

PASSWORD_NAMES = ("postgres", "nats", "api", "engine", "log", "scheduler", "verify", "secrets")
PROBE_SECONDS_MAX = 2.0
SERVICES = ("api", "engine", "eventstore", "scheduler", "worker")


class Stack(msgspec.Struct, frozen=True, kw_only=True):
    """Addresses and secrets of one home; making one starts nothing."""

    settings: Settings
    home: homes.Home
    root: Path
    ports: dict[str, int]
    passwords: dict[str, str]

    @property
    def dialled_host(self) -> str:
        return self.settings.dialled_host

    @property
    def api_url(self) -> str:
        return self.settings.api_url

    @property
    def postgres(self) -> Postgres:
        return Postgres(
            folder=self.home.root / "postgres",
            port=self.ports["postgres"],
            password=self.passwords["postgres"],
            environment=self.settings.inherited,
        )

    @property
    def reading_postgres(self) -> Postgres:
        """The same server as the role that reads everything and writes nothing."""
        return msgspec.structs.replace(
            self.postgres, user="verify_run", password=self.passwords["verify"]
        )

    @property
    def nats(self) -> Nats:
        return Nats(
            folder=self.home.root / "nats",
            port=self.ports["nats"],
            password=self.passwords["nats"],
            environment=self.settings.inherited,
        )

    def address(self, name: str) -> str:
        return f"{sockets.LOOPBACK}:{self.ports[name]}"


def prepare(settings: Settings, root: Path, home: homes.Home) -> Stack:
    return Stack(
        settings=settings,
        home=home,
        root=root,
        ports=sockets.assign(home, engine=sockets.engine_port(settings.api_port)),
        passwords=homes.passwords(home, PASSWORD_NAMES),
    )


async def start(stack: Stack, supervisor: Supervisor, console: Console) -> None:
    """Brings everything up in order. Raises StartProblem; the caller stops what had started."""
    postgres = stack.postgres
    if not (postgres.data / "PG_VERSION").exists():
        console.say("creating the database cluster (once, a few seconds)")
    await asyncio.to_thread(postgres.initialise)
    console.say("starting Postgres and NATS")
    await supervisor.start([postgres.program(), stack.nats.program()])
    await migrate(stack, console)
    console.say("starting eventstore, engine, api, scheduler and worker")
    await supervisor.start([service(stack, "eventstore"), service(stack, "engine")])
    await supervisor.start([service(stack, "api")])
    await supervisor.start([service(stack, "scheduler"), service(stack, "worker")])


async def migrate(stack: Stack, console: Console) -> None:
    await asyncio.to_thread(migrations.create_database, stack.postgres)
    await asyncio.to_thread(migrations.create_roles, stack.postgres, stack.root, stack.passwords)
    await migrations.apply(stack.postgres, stack.root, console.say)


def service(stack: Stack, name: str) -> Program:
    async def api_answers() -> bool:
        return await asyncio.to_thread(http_answers, stack.dialled_host, stack.settings.api_port)

    async def grpc_answers() -> bool:
        address = stack.address(name)
        host, _, port = address.rpartition(":")
        # A refused connection is found here, so that no interpreter is started to find the same.
        return await sockets.accepts(host, int(port)) and await probe(address)

    return Program(
        name=name,
        argv=(sys.executable, "-m", f"mainspring_{name}"),
        environment=environment(stack, name),
        healthy=api_answers if name == "api" else grpc_answers,
    )


def environment(stack: Stack, name: str) -> dict[str, str]:
    """The service's own settings only: no service learns another's password."""
    settings = stack.settings
    values = {k: v for k, v in settings.inherited.items() if k != "MAINSPRING_DATABASE_URL"}
    values |= {
        "PYTHONUNBUFFERED": "1",
        "MAINSPRING_HOME": str(stack.home.root),
        "MAINSPRING_TRACE_DIR": values.get("MAINSPRING_TRACE_DIR") or str(stack.home.traces),
        "MAINSPRING_ENGINE_ADDR": stack.address("engine"),
        "MAINSPRING_RESOURCE_ADDR": stack.address("resource"),
        "MAINSPRING_EVENTSTORE_ADDR": stack.address("eventstore"),
        "MAINSPRING_SCHEDULER_ADDR": stack.address("scheduler"),
    }
    if bind := values.get("MAINSPRING_METRICS_BIND"):
        values["MAINSPRING_METRICS_BIND"] = metrics_bind(bind, name)
    if name == "api":
        values["MAINSPRING_API_HOST"] = settings.api_host
        values["MAINSPRING_API_PORT"] = str(settings.api_port)
        values["MAINSPRING_RESOURCE_BIND"] = stack.address("resource")
        values.setdefault("MAINSPRING_SECRET_KEYS", stack.passwords["secrets"])
    else:
        values.pop("MAINSPRING_SECRET_KEYS", None)
        values[f"MAINSPRING_{name.upper()}_BIND"] = stack.address(name)
    if name != "worker":
        role = "log" if name == "eventstore" else name
        values["MAINSPRING_NATS_URL"] = stack.nats.url
        values["MAINSPRING_DATABASE_URL"] = stack.postgres.url(
            user=f"{role}_run", password=stack.passwords[role]
        )
    return values


def metrics_bind(first: str, name: str) -> str:
    """A door of its own for each service: api's port is the one that was asked for."""
    host, _, port = first.rpartition(":")
    if not port.isdecimal():
        return first  # the service says what is wrong with it
    return f"{host}:{int(port) + SERVICES.index(name)}"


async def probe(address: str) -> bool:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "mainspring_rpc.probe", address,
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    return await process.wait() == 0


def http_answers(host: str, port: int) -> bool:
    connection = HTTPConnection(host, port, timeout=PROBE_SECONDS_MAX)
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status == HTTPStatus.OK
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


def recorded(settings: Settings, home: homes.Home) -> Stack:
    """The running stack of a home, from what it recorded; raises StartProblem without one."""
    if homes.lock_owner(home) is None:
        raise StartProblem(f"no stack runs on {home.root}; start one with `./task up`")
    return Stack(
        settings=settings,
        home=home,
        root=project_root(),
        ports=msgspec.json.decode(home.ports.read_bytes(), type=dict[str, int]),
        passwords=homes.passwords(home, PASSWORD_NAMES),
    )
