"""Two versions of the project on one machine: the tree at hand, and another one as committed.

The other one runs in the environment of this one, with its own packages before those that are
installed. So both have the third-party packages of this one: `foreign` says where they differ.
"""

import os
import subprocess
from pathlib import Path
from typing import Final

import msgspec

from mainspring_local.environment import project_root
from mainspring_local.errors import StartProblem

MEMBERS: Final = ("libs", "services")
PRESENT: Final = "present"


class Tree(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    root: Path

    @property
    def environment(self) -> dict[str, str]:
        """Of a process that is to run this tree's packages, and its programs of the chaos suite."""
        members = (path.parent for kind in MEMBERS for path in self.root.glob(f"{kind}/*/*.toml"))
        places = [str(self.root), *sorted(map(str, members))]
        # Without the safe path the folder in which it starts would come first.
        return {"PYTHONPATH": os.pathsep.join(places), "PYTHONSAFEPATH": "1"}

    @property
    def migrations(self) -> list[Path]:
        return sorted((self.root / "migrations").glob("*_*.sql"))


def present() -> Tree:
    return Tree(name=PRESENT, root=project_root())


def previous(root: Path) -> str:
    """What stood before this: the newest tag, else the commit before the last change of the schema.

    Raises StartProblem where the history does not say.
    """
    tag = _git(root, "describe", "--tags", "--abbrev=0", "HEAD~1")
    if tag:
        return tag
    names = ("log", "--first-parent", "-1", "--format=%H", "--", ":(glob)migrations/2*.sql")
    changed = _git(root, *names)
    before = _git(root, "rev-parse", "--verify", "--quiet", f"{changed}~1") if changed else ""
    if not before:
        detail = "this tree has no history with an earlier schema; name a revision"
        raise StartProblem(detail)
    return before


def checked_out(ref: str, folder: Path) -> Tree:
    """That revision's tree, in a new folder. Raises StartProblem where there is none."""
    root = project_root()
    revision = _git(root, "rev-parse", "--verify", "--quiet", f"{ref}^{{commit}}")
    if not revision:
        detail = f"there is no revision {ref} here"
        raise StartProblem(detail)
    folder.mkdir(parents=True)
    command = ["git", "archive", "--format=tar", revision]
    archive = subprocess.run(command, cwd=root, capture_output=True, check=True)
    subprocess.run(["tar", "-x", "-C", str(folder)], input=archive.stdout, check=True)
    return Tree(name=revision[:12], root=folder)


def added(one: Tree, other: Tree) -> list[Path]:
    """The migrations that the other one has beyond those of the one."""
    known = {path.name for path in one.migrations}
    return [path for path in other.migrations if path.name not in known]


def foreign(one: Tree, other: Tree) -> list[str]:
    """Services whose third-party packages are pinned otherwise in the one than in the other."""
    files = sorted({path.name for t in (one, other) for path in t.root.glob("requirements/*.txt")})
    return [name.removesuffix(".txt") for name in files if _pins(one, name) != _pins(other, name)]


def _pins(tree: Tree, name: str) -> str:
    path = tree.root / "requirements" / name
    return path.read_text() if path.exists() else ""


def _git(root: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=root, capture_output=True, text=True, check=False
    )
    return done.stdout.strip() if done.returncode == 0 else ""
