"""`./task gen`: what is committed but made from something else.

Stubs from proto/, the pins of every package, hashed requirements of every service, the dump of the
migrated schema, the list of migrations, the pages of measured figures and of capabilities.
`--check` makes them beside and fails where they differ; names pick one.
"""

from __future__ import annotations

import argparse
import asyncio
import difflib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
STUBS = Path("libs/rpc/mainspring_rpc/generated")
REQUIREMENTS = Path("requirements")
SCHEMA = Path("migrations/schema.sql")
LEDGER = Path("libs/postgres/mainspring_postgres/migrations.py")
PAGES = {
    "figures": Path("docs/figures.md"),
    "ablations": Path("docs/ablations.md"),
    "capabilities": Path("docs/capabilities.md"),
}
PROJECT = Path("pyproject.toml")
PINS = re.compile(r"^constraint-dependencies = \[\n(?:    .*\n)*\]\n", re.MULTILINE)
SERVICES = ("api", "engine", "eventstore", "scheduler", "worker", "local")
# Protobuf names modules after the proto package; ours live inside mainspring_rpc, because the
# package `mainspring` is what users import.
PROTO_IMPORT = re.compile(r"^from mainspring\.", re.MULTILINE)


class Arguments(argparse.Namespace):
    check: bool = False
    upgrade: bool = False
    what: Sequence[str] = ()


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="task gen", description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    parser.add_argument(
        "--upgrade",
        action="store_true",
        help="pin the newest packages before the date, not the old",
    )
    parser.add_argument("what", nargs="*", help=f"of {', '.join(MAKERS)}; default: all")
    parsed = parser.parse_args(arguments, namespace=Arguments())
    unknown = set(parsed.what) - set(MAKERS)
    if unknown:
        parser.error(f"there is no {', '.join(sorted(unknown))}; choose of {', '.join(MAKERS)}")
    os.chdir(ROOT)
    names = parsed.what or list(MAKERS)
    if parsed.upgrade:
        PROJECT.write_text(with_pins(PROJECT.read_text(), []))
    stale = 0
    for name in names:
        print(f"gen: {name}", file=sys.stderr, flush=True)
        with tempfile.TemporaryDirectory() as folder:
            MAKERS[name](Path(folder))
            stale += compare(Path(folder), name) if parsed.check else install(Path(folder), name)
    return 1 if stale else 0


def make_stubs(folder: Path) -> None:
    sources = sorted(str(path.relative_to("proto")) for path in Path("proto").rglob("*.proto"))
    with tempfile.TemporaryDirectory() as raw:
        outputs = [f"--{kind}_out={raw}" for kind in ("python", "pyi")]
        command = [sys.executable, "-m", "grpc_tools.protoc", "-Iproto", *outputs, *sources]
        subprocess.run(command, check=True)
        for made in Path(raw).rglob("*.py*"):
            target = folder / STUBS / made.relative_to(Path(raw) / "mainspring")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(PROTO_IMPORT.sub("from mainspring_rpc.generated.", made.read_text()))
    for package in [folder / STUBS, *(p for p in (folder / STUBS).rglob("*") if p.is_dir())]:
        (package / "__init__.py").touch()


def make_pins(folder: Path) -> None:
    """Every package's version in pyproject.toml: a lock file without hosts.

    A date alone pins nothing for long: an index may serve a file later than it was uploaded.
    """
    lock()
    packages = ["--all-packages", "--all-groups", "--all-extras", "--no-hashes"]
    pins = [line for line in exported(packages).splitlines() if "==" in line]
    (folder / PROJECT).write_text(with_pins(PROJECT.read_text(), pins))


def with_pins(project: str, pins: Sequence[str]) -> str:
    lines = "".join(f'    "{pin}",\n' for pin in pins)
    return PINS.sub(lambda _: f"constraint-dependencies = [\n{lines}]\n", project)


def make_requirements(folder: Path) -> None:
    """With hashes and without hosts; the workspace's own members are installed beside them."""
    (folder / REQUIREMENTS).mkdir()
    lock()
    for service in SERVICES:
        packages = ["--package", f"mainspring-{service}", "--no-dev"]
        # The image of the worker must reach real models; on one machine that is asked for.
        packages += ["--all-extras"] if service == "worker" else []
        (folder / REQUIREMENTS / f"{service}.txt").write_text(exported(packages))


def lock() -> None:
    # Anew, as in a fresh clone: an older lock keeps versions that nobody else gets.
    subprocess.run([found_uv(), "lock", "--quiet", "--upgrade"], check=True)


def exported(packages: Sequence[str]) -> str:
    command = [found_uv(), "export", "--quiet", *packages]
    command += ["--no-emit-workspace", "--no-header", "--no-annotate"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def found_uv() -> str:
    """`./task` puts it on PATH; called without the wrapper, the one the wrapper brought will do."""
    brought = sorted((ROOT / ".tools").glob("*/bin/uv"))
    found = shutil.which("uv") or (str(brought[0]) if brought else None)
    if found is None:
        sys.exit("gen: there is no uv on PATH; run `./task gen`, which brings it")
    return found


def make_schema(folder: Path) -> None:
    """The dump of an empty database after all migrations, for readers and reviews."""
    from mainspring_testkit import servers  # noqa: PLC0415 -- the others work without the workspace

    with (
        tempfile.TemporaryDirectory() as data,
        servers.embedded_postgres(Path(data)) as server,
    ):
        asyncio.run(server.migrate("mainspring"))
        text = servers.schema_of(server, "mainspring")
    (folder / SCHEMA).parent.mkdir()
    # pg_dump brackets its output with a random key, which would differ every time.
    kept = [
        line for line in text.splitlines() if not line.startswith(("\\restrict", "\\unrestrict"))
    ]
    (folder / SCHEMA).write_text("\n".join(kept).strip() + "\n")


def make_migrations(folder: Path) -> None:
    """The names of all migrations, for packages that come without them."""
    names = sorted(path.stem for path in SCHEMA.parent.glob("*_*_*.sql"))
    listed = "".join(f'    "{name}",\n' for name in names)
    (folder / LEDGER).parent.mkdir(parents=True)
    (folder / LEDGER).write_text(
        '"""Made by `./task gen migrations`: the migrations that this version knows."""\n\n'
        f"from typing import Final\n\nMIGRATIONS: Final = (\n{listed})\n"
    )


def compare(made: Path, name: str) -> int:
    """Prints how the committed files differ from the made ones; how many do."""
    stale = 0
    places = {path.relative_to(made) for path in made.rglob("*") if path.is_file()}
    for place in sorted(places | committed(name)):
        wanted = text_of(made / place)
        found = text_of(place)
        if wanted != found:
            stale += 1
            print(f"{place} is stale; run `./task gen {name}`")
            lines = difflib.unified_diff(found.splitlines(), wanted.splitlines(), "found", "made")
            print("\n".join(list(lines)[:20]))
    return stale


def install(made: Path, name: str) -> int:
    for place in committed(name):
        place.unlink()
    for path in made.rglob("*"):
        if path.is_file():
            target = path.relative_to(made)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(path.read_text())
    return 0


def committed(name: str) -> set[Path]:
    """What is there now of one kind, so that what is no longer made goes away."""
    if name == "stubs":
        return {p for p in STUBS.rglob("*") if p.suffix in (".py", ".pyi")}
    if name == "requirements":
        return set(REQUIREMENTS.glob("*.txt"))
    kept = {"pins": PROJECT, "schema": SCHEMA, "migrations": LEDGER, **PAGES}[name]
    return {kept} if kept.exists() else set()


def text_of(path: Path) -> str:
    return path.read_text() if path.exists() else ""


def make_figures(folder: Path) -> None:
    make_page(folder, "figures", [sys.executable, "-m", "tests.load.bench.published"])


def make_ablations(folder: Path) -> None:
    make_page(folder, "ablations", [sys.executable, "-m", "tests.sim.ablations"])


def make_capabilities(folder: Path) -> None:
    make_page(folder, "capabilities", [sys.executable, "infra/capabilities.py"])


def make_page(folder: Path, name: str, command: Sequence[str]) -> None:
    made = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    (folder / PAGES[name]).parent.mkdir()
    (folder / PAGES[name]).write_text(made)


MAKERS: dict[str, Callable[[Path], None]] = {
    "stubs": make_stubs,
    "pins": make_pins,
    "requirements": make_requirements,
    "schema": make_schema,
    "migrations": make_migrations,
    "figures": make_figures,
    "ablations": make_ablations,
    "capabilities": make_capabilities,
}

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
