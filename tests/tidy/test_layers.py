"""Each layer contract is broken once on purpose, and that contract alone must notice.

A published template elsewhere shipped a contract that could not fail; ours are proved on a copy of
the tree with one bad line planted in it.
"""

import ast
import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import pytest

from tests.tidy import tree

pytestmark = pytest.mark.xdist_group("layers")  # one worker: the copy is made once

CONTRACT_IDS = ("inside", "services", "libs", "drivers")


@dataclass(frozen=True, kw_only=True)
class Copy:
    """The packages of the tree side by side, to be spoiled and restored."""

    root: Path

    def broken(self) -> set[str]:
        """The names of the contracts that do not hold. Raises when none could be checked."""
        command = [
            str(Path(sys.executable).parent / "lint-imports"),
            "--no-logo",
            "--config",
            str(tree.ROOT / "pyproject.toml"),
            "--cache-dir",
            str(self.root / "cache"),
        ]
        environment = {**os.environ, "PYTHONPATH": str(self.root / "packages")}
        done = subprocess.run(
            command, cwd=self.root, env=environment, capture_output=True, check=False, text=True
        )
        verdicts = [
            line for line in done.stdout.splitlines() if line.endswith((" KEPT", " BROKEN"))
        ]
        assert len(verdicts) == len(CONTRACT_IDS), done.stdout + done.stderr
        return {line.removesuffix(" BROKEN") for line in verdicts if line.endswith(" BROKEN")}


def contract_names() -> dict[str, str]:
    config = tomllib.loads(tree.text("pyproject.toml"))
    contracts = cast(list[dict[str, str]], config["tool"]["importlinter"]["contracts"])
    return {contract["id"]: contract["name"] for contract in contracts}


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Copy:
    root = tmp_path_factory.mktemp("layers")
    for package in sorted(tree.ROOT.glob("*/*/mainspring_*")):
        shutil.copytree(
            package, root / "packages" / package.name, ignore=shutil.ignore_patterns("__pycache__")
        )
    return Copy(root=root)


@dataclass(frozen=True, kw_only=True)
class Sin:
    """One bad line, where it is planted, and the contract that must notice."""

    file: str
    line: str
    contract: str


SINS = {
    "a module without a layer": Sin(
        file="mainspring_scheduler/utils.py", line="", contract="inside"
    ),
    "a use case that knows its adapters": Sin(
        file="mainspring_eventstore/usecases/planted.py",
        line="import mainspring_eventstore.adapters",
        contract="inside",
    ),
    "a service that knows another": Sin(
        file="mainspring_scheduler/adapters/planted.py",
        line="import mainspring_worker",
        contract="services",
    ),
    "a library that knows its sibling": Sin(
        file="mainspring_messaging/planted.py", line="import mainspring_postgres", contract="libs"
    ),
    "a kernel that knows the schema": Sin(
        file="mainspring_kernel/planted.py", line="import mainspring_schema", contract="libs"
    ),
    "a domain that knows a driver": Sin(
        file="mainspring_engine/domain/planted.py", line="import asyncpg", contract="drivers"
    ),
    "a use case that reaches a driver through our library": Sin(
        file="mainspring_engine/usecases/planted.py",
        line="import mainspring_postgres.database",
        contract="drivers",
    ),
}


def test_the_tree_as_it_stands_keeps_every_contract(copy: Copy) -> None:
    assert tuple(contract_names()) == CONTRACT_IDS
    assert copy.broken() == set()


@pytest.mark.parametrize("sin", SINS.values(), ids=SINS.keys())
def test_a_sin_breaks_its_contract_and_no_other(copy: Copy, sin: Sin) -> None:
    planted = copy.root / "packages" / sin.file
    assert planted.parent.is_dir(), f"{planted.parent.name} is no package of the tree"
    planted.write_text(f"{sin.line}\n", encoding="utf-8")

    try:
        broken = copy.broken()
    finally:
        planted.unlink()

    assert broken == {contract_names()[sin.contract]}


def test_the_kernel_imports_the_standard_library_alone() -> None:
    foreign = {
        f"{path}: {name}"
        for path in tree.written(".py")
        if path.startswith("libs/kernel/")
        for name in _imported(tree.module(path))
        if name not in sys.stdlib_module_names and name != "mainspring_kernel"
    }

    assert foreign == set()


def _imported(module: ast.Module) -> Iterator[str]:
    for node in ast.walk(module):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield (node.module or "").partition(".")[0]
