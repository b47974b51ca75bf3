"""A copy of the tree with a sin in it, and what `./task check` says of that."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.tidy import tree

ME = ("-c", "user.name=test", "-c", "user.email=test@localhost")


class Copy:
    """The tree as it stands, committed or not, as a repository of its own."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for path in tree.files():
            target = root / path
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(tree.ROOT / path, target)
        # Known, so that nothing is resolved again; not committed, like its original.
        if (tree.ROOT / "uv.lock").exists():
            shutil.copy2(tree.ROOT / "uv.lock", root / "uv.lock")
        (root / ".venv").symlink_to(Path(sys.executable).parent.parent)
        if (tree.ROOT / ".tools").exists():
            (root / ".tools").symlink_to(tree.ROOT / ".tools")
        self.git("init", "--quiet", "--initial-branch=main")
        # .gitignore means folders of these names, not links.
        (root / ".git" / "info" / "exclude").write_text(".venv\n.tools\n", encoding="utf-8")
        self.commit()
        self.git("checkout", "--quiet", "-b", "change")

    def git(self, *arguments: str) -> None:
        subprocess.run(["git", *ME, *arguments], cwd=self.root, check=True, capture_output=True)

    def commit(self) -> None:
        """Some verbs look at what git knows."""
        self.git("add", "--all")
        self.git("commit", "--quiet", "--no-verify", "--message=copy")

    def keep_only(self, *folders: str) -> None:
        """Takes away what the check at hand would look at for long, to see a sin sooner."""
        for kind in ("libs", "services", "tests"):
            for path in tree.files():
                if path.startswith(f"{kind}/") and not path.startswith(folders):
                    (self.root / path).unlink(missing_ok=True)

    def plant(self, file: str, text: str) -> None:
        path = self.root / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def change(self, file: str, old: str, new: str) -> None:
        text = (self.root / file).read_text(encoding="utf-8")
        assert old in text, f"{file} has no {old!r} to be spoiled"
        self.plant(file, text.replace(old, new, 1))

    def check(self, verb: str) -> tuple[int, str]:
        """The exit status of `check VERB` in the copy, and all it printed."""
        packages = [str(path.parent) for path in self.root.glob("*/*/mainspring_*")]
        done = subprocess.run(
            [sys.executable, "infra/check.py", verb],
            cwd=self.root,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(packages)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout
