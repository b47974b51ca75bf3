"""`./task check`: everything that can be said without running the code.

Each check stands alone and fails alone; all of them run, and the last lines say which failed.
Names pick some: `./task check lint types`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import cast

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
MEMBERS = ("libs", "services")
# Findings of squawk that contradict a rule of ours, each with the rule.
SQUAWK_EXCLUDED = (
    "prefer-robust-stmts",  # dbmate runs a migration in one transaction, once
    "prefer-bigint-over-int",  # an int counts something with a bound of ours, ids are uuid
    "prefer-bigint-over-smallint",  # the same
    "prefer-text-field",  # fixed sizes are wanted where a hash has one
)

# Of those that come when the last process that needed it has left.
SQUAWK_EXCLUDED_POST = ("ban-drop-function",)


def main(arguments: Sequence[str]) -> int:
    os.chdir(ROOT)
    unknown = set(arguments) - set(CHECKS)
    if unknown:
        print(f"check: there is no {', '.join(sorted(unknown))}; choose of {', '.join(CHECKS)}")
        return 2
    failed: list[str] = []
    for name in arguments or list(CHECKS):
        print(f"check: {name}", file=sys.stderr, flush=True)
        if not CHECKS[name]():
            failed.append(name)
    print(f"check: failed: {', '.join(failed)}" if failed else "check: all passed")
    return 1 if failed else 0


def check_fmt() -> bool:
    return all(
        [
            run("ruff", "format", "--check", "--quiet"),
            run("buf", "format", "--exit-code", "--diff", "proto"),
        ]
    )


def check_lint() -> bool:
    return run("ruff", "check", "--quiet")


def check_types() -> bool:
    return run("basedpyright", "--warnings")


def check_layers() -> bool:
    return run("lint-imports", "--no-logo")


def check_deps() -> bool:
    """Per member, because each is installed alone; a sibling counts as any other dependency."""
    members = [path.parent for kind in MEMBERS for path in Path(kind).glob("*/pyproject.toml")]
    results = [
        run("deptry", "--no-ansi", "--known-first-party", package, package, cwd=member)
        for member in sorted(members)
        for package in [module_of(member)]
    ]
    return all(results)


def module_of(member: Path) -> str:
    """What the member is imported as; people import `mainspring`."""
    return "mainspring" if member.name == "sdk" else f"mainspring_{member.name}"


def check_sql() -> bool:
    queries = [str(path) for kind in MEMBERS for path in Path(kind).rglob("*.sql")]
    results = [squawk(sorted(Path("migrations").glob("*_*.sql")))]
    if queries:
        results.append(
            run("sqlfluff", "lint", "--disable-progress-bar", "--nocolor", "-p", "2", *queries)
        )
    return all(results)


def squawk(migrations: Sequence[Path]) -> bool:
    """Squawk reports findings with exit status 0, so they are counted here."""
    results: list[bool] = []
    with tempfile.TemporaryDirectory() as folder:
        for migration in migrations:
            # Only the way up: the way down drops by design, and nobody takes it in production.
            up = migration.read_text().split("-- migrate:down")[0]
            copy = Path(folder) / migration.name
            copy.write_text(up)
            alone = "transaction:false" in up
            results.append(squawk_file(copy, [] if alone else ["--assume-in-transaction"]))
    return all(results)


def squawk_file(path: Path, options: Sequence[str]) -> bool:
    command = [str(BIN / "squawk"), "--reporter", "json", "--pg-version", "18.0", *options]
    late = SQUAWK_EXCLUDED_POST if "_post_" in path.name else ()
    command += [f"--exclude={rule}" for rule in (*SQUAWK_EXCLUDED, *late)]
    done = subprocess.run([*command, str(path)], capture_output=True, text=True, check=False)
    try:
        findings = cast("list[dict[str, object]]", json.loads(done.stdout or "[]"))
    except json.JSONDecodeError:
        print(done.stdout, done.stderr, sep="\n")
        return False
    for finding in findings:
        place = f"migrations/{path.name}:{cast('int', finding['line']) + 1}"
        print(f"{place}: {finding['rule_name']}: {finding['message']}")
    return not findings and done.returncode == 0


def check_proto() -> bool:
    results = [run("buf", "lint", "proto")]
    previous = published_revision()
    if previous:
        against = f".git#ref={previous},subdir=proto"
        results.append(run("buf", "breaking", "proto", "--against", against))
    return all(results)


def check_wire() -> bool:
    """Structs that are packed into those messages, or kept in rows."""
    previous = published_revision()
    return run("python", "infra/wire.py", previous) if previous else True


def published_revision() -> str | None:
    """What others may already use: main where this is a branch, else the commit before this one."""
    for candidate in ("origin/main", "main", "HEAD"):
        base = git("merge-base", candidate, "HEAD")
        if base and base != git("rev-parse", "HEAD"):
            return base if git("ls-tree", base, "proto/buf.yaml") else None
    parent = git("rev-parse", "--verify", "--quiet", "HEAD~1")
    return parent if parent and git("ls-tree", parent, "proto/buf.yaml") else None


def check_gen() -> bool:
    """What is committed but made: stubs, requirements, the dump of the schema."""
    return run("python", "infra/gen.py", "--check")


def check_docs() -> bool:
    results = [run("codespell", *tracked("*.md", "*.py", "*.toml", "*.yml", "*.proto", "*.sql"))]
    yaml = tracked("*.yml", "*.yaml")
    dockerfiles = tracked("*Dockerfile*")
    results.append(run("yamllint", "--strict", *yaml) if yaml else True)
    results.append(run("hadolint", *dockerfiles) if dockerfiles else True)
    compose = tracked("docker-compose.yml")
    schema = ("--builtin-schema", "vendor.compose-spec")
    results.append(run("check-jsonschema", *schema, *compose) if compose else True)
    return all(results)


def tracked(*patterns: str) -> list[str]:
    return [line for line in git("ls-files", "--", *patterns).splitlines() if Path(line).exists()]


def git(*arguments: str) -> str:
    command = ["git", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


def run(tool: str, *arguments: str, cwd: Path = ROOT) -> bool:
    return subprocess.run([str(BIN / tool), *arguments], cwd=cwd, check=False).returncode == 0


CHECKS: dict[str, Callable[[], bool]] = {
    "fmt": check_fmt,
    "lint": check_lint,
    "types": check_types,
    "layers": check_layers,
    "deps": check_deps,
    "sql": check_sql,
    "proto": check_proto,
    "wire": check_wire,
    "gen": check_gen,
    "docs": check_docs,
}

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
