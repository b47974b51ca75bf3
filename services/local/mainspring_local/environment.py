"""The command's own settings, read once from the environment and checked before anything opens."""

import os
from collections.abc import Mapping
from pathlib import Path

import msgspec

from mainspring_local.errors import BadEnvironment, StartProblem
from mainspring_runtime.settings import is_loopback

API_PORT_DEFAULT = 9000
PORT_MAX = 65535


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    home: Path
    api_host: str
    api_port: int
    insecure_bind: bool
    inherited: dict[str, str]
    """Everything else of the environment; services get it below their own settings."""

    @property
    def dialled_host(self) -> str:
        host = self.api_host
        return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 -- compared only

    @property
    def api_url(self) -> str:
        host = self.dialled_host
        return f"http://{f'[{host}]' if ':' in host else host}:{self.api_port}"


def read(environment: Mapping[str, str] | None = None) -> Settings:
    values = dict(os.environ if environment is None else environment)
    problems: list[str] = []
    host = values.get("MAINSPRING_API_HOST") or "127.0.0.1"
    insecure = values.get("MAINSPRING_INSECURE_BIND", "") == "1"
    if not insecure and not is_loopback(host):
        problems.append(
            f"MAINSPRING_API_HOST={host} is reachable from other machines and there is no "
            "authentication yet; use 127.0.0.1, or accept it with MAINSPRING_INSECURE_BIND=1"
        )
    port = parse_port(values.get("MAINSPRING_API_PORT") or str(API_PORT_DEFAULT))
    if port is None:
        problems.append(
            f"MAINSPRING_API_PORT={values['MAINSPRING_API_PORT']} is no port; "
            f"use a number from 1 to {PORT_MAX}"
        )
    if problems:
        raise BadEnvironment(problems)
    return Settings(
        home=Path(values.get("MAINSPRING_HOME") or project_root() / ".mainspring").absolute(),
        api_host=host,
        api_port=port or API_PORT_DEFAULT,
        insecure_bind=insecure,
        inherited=values,
    )


def parse_port(text: str) -> int | None:
    if not text.isascii() or not text.isdigit():
        return None
    return int(text) if 0 < int(text) <= PORT_MAX else None


def project_root() -> Path:
    """The work tree this package runs from: migrations and role files are read from there."""
    for folder in Path(__file__).resolve().parents:
        if (folder / "migrations").is_dir() and (folder / "Taskfile.yml").is_file():
            return folder
    raise StartProblem("cannot find the project's work tree; run the command from a checkout")
