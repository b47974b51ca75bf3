"""Prints the folders of the workspace members a service needs, itself included; pip installs them.

Read from the pyproject files, so that an image holds its own service's closure and nothing else.
"""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import cast

ROOT = Path(__file__).resolve().parent.parent.parent
PREFIX = "mainspring-"


def closure(service: str) -> list[Path]:
    """In no particular order; every member once."""
    found: dict[str, Path] = {}
    waiting = [service]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found[name] = folder_of(name)
            waiting += siblings(found[name])
    return sorted(found.values())


def folder_of(name: str) -> Path:
    for kind in ("services", "libs"):
        folder = ROOT / kind / name
        if (folder / "pyproject.toml").is_file():
            return folder
    message = f"there is no member {PREFIX}{name}"
    raise SystemExit(message)


def siblings(member: Path) -> Iterator[str]:
    document = tomllib.loads((member / "pyproject.toml").read_text())
    project = cast("dict[str, list[str]]", document["project"])
    for dependency in project["dependencies"]:
        if dependency.startswith(PREFIX):
            yield dependency.removeprefix(PREFIX)


if __name__ == "__main__":
    for path in closure(sys.argv[1]):
        print(path)
