"""An empty environment with one service in it, as its image has it."""

import shutil
import subprocess
import sys
from pathlib import Path

from infra.docker.members import closure

ROOT = Path(__file__).resolve().parents[2]


def uv() -> str:
    places = [ROOT / ".tools" / kind / "bin" for kind in ("venv", "site")]
    found = shutil.which("uv", path=":".join(map(str, places))) or shutil.which("uv")
    if found is None:
        message = "uv is missing; run ./task once"
        raise RuntimeError(message)
    return found


def install(service: str, folder: Path) -> Path:
    """The interpreter of a fresh environment with the service's hashed closure and its members."""
    call("venv", "--python", sys.executable, str(folder))
    python = folder / "bin" / "python"
    into = ("pip", "install", "--python", str(python))
    call(*into, "--require-hashes", "--requirement", str(ROOT / "requirements" / f"{service}.txt"))
    call(*into, "--no-deps", *(str(member) for member in closure(service)))
    return python


def call(*arguments: str) -> None:
    done = subprocess.run(
        [uv(), "--quiet", *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        message = f"uv {arguments[0]} {arguments[1]} failed: {done.stderr}"
        raise RuntimeError(message)


def members_of(python: Path) -> set[str]:
    listed = subprocess.run(
        [uv(), "pip", "list", "--python", str(python), "--format", "freeze"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    names = {line.split("==")[0].split(" @ ")[0] for line in listed.splitlines()}
    return {name.removeprefix("mainspring-") for name in names if name.startswith("mainspring-")}
