"""The files the house rules look at: what is committed, and what is about to be."""

import ast
import gc
import re
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

GENERATED = ("libs/rpc/mainspring_rpc/generated/", "requirements/")
"""Made by `./task gen`; the rules of style are for what people write."""

_UNTRACKED = {".git", ".venv", ".tools", ".mainspring", "__pycache__", "dist", "htmlcov"}


@cache
def files() -> tuple[str, ...]:
    """Every file of the tree, relative to its root, with forward slashes."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        check=False,
        text=True,
    )
    # An exported tree has no .git: there everything that lies about is looked at.
    found = listed.stdout.split("\0") if listed.returncode == 0 else list(_walk())
    return tuple(sorted(path for path in found if path and (ROOT / path).is_file()))


def written(*suffixes: str) -> list[str]:
    """The files people write, by suffix; generated ones are left out."""
    return [path for path in files() if path.endswith(suffixes) and not path.startswith(GENERATED)]


@cache
def text(path: str) -> str:
    return (ROOT / path).read_text(encoding="utf-8")


@cache
def module(path: str) -> ast.Module:
    # The trees of all files are millions of objects that stay: the collector had better not look.
    gc.disable()
    try:
        return ast.parse(text(path), filename=path)
    finally:
        gc.freeze()
        gc.enable()


def matches(pattern: re.Pattern[str], text: str, group: int = 0) -> list[str]:
    """What one group of a pattern finds; `re.findall` would give it without a type."""
    return [str(match[group]) for match in pattern.finditer(text)]


def _walk() -> Iterator[str]:
    for path in ROOT.rglob("*"):
        relative = path.relative_to(ROOT)
        if not _UNTRACKED.intersection(relative.parts) and path.suffix != ".pyc":
            yield relative.as_posix()
