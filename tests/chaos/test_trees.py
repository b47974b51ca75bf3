"""Another revision beside this one: its own packages run, and the schema's difference is known."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from mainspring_local.errors import StartProblem
from tests.chaos import trees


@pytest.fixture
def other(tmp_path: Path) -> trees.Tree:
    try:
        return trees.checked_out("HEAD", tmp_path / "other")
    except StartProblem:
        pytest.skip("this tree has no history of git, from which another revision could come")


def test_a_process_of_another_revision_has_its_packages(other: trees.Tree) -> None:
    program = "import mainspring, mainspring_engine, tests.chaos as t; print(mainspring.__file__,"
    program += " mainspring_engine.__file__, *t.__path__)"

    printed = subprocess.run(
        [sys.executable, "-c", program], env=os.environ | other.environment,
        stdout=subprocess.PIPE, text=True, check=True,
    ).stdout.split()  # fmt: skip

    assert len(printed) >= 3
    assert all(Path(place).is_relative_to(other.root) for place in printed)


def test_what_two_trees_differ_in_is_told(other: trees.Tree) -> None:
    newest = other.migrations[-1]
    here = trees.Tree(name="here", root=other.root.parent / "here")
    (here.root / "migrations").mkdir(parents=True)
    for path in other.migrations[:-1]:
        (here.root / "migrations" / path.name).write_text(path.read_text())

    assert trees.added(here, other) == [newest]
    assert trees.added(other, here) == []
    assert trees.foreign(other, other) == []
    assert "engine" in trees.foreign(here, other)


def test_a_revision_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StartProblem, match="no revision"):
        trees.checked_out("no-such-revision", tmp_path / "other")
