"""Brings the pinned tools into .tools/ and hands the verb over; standard library only.

`up`, `dev` and `demo` replace this process with the `mainspring` command, because go-task does not
forward a signal that reaches it alone. Every other verb goes through Taskfile.yml.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import ssl
import subprocess
import sys
from collections.abc import Generator, Mapping, MutableMapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import NoReturn

ROOT = Path(__file__).resolve().parent.parent
TOOLS = ROOT / ".tools"
PINS = ("uv==0.13.8", "go-task-bin==3.54.0")
DIRECT_VERBS = ("up", "dev", "demo")
PROVIDER_KEYS = tuple(
    f"{prefix}{name}_API_KEY"
    for name in ("OPENAI", "ANTHROPIC", "GEMINI", "GOOGLE")
    for prefix in ("", "DEFAULT_")
)


def main(arguments: Sequence[str]) -> int:
    keep_home(os.environ)
    os.chdir(ROOT)
    stop_on_signals()
    verb, rest = split(arguments)
    if has_certificates():
        # uv trusts a list of its own unless told; behind a company's proxy only the system's works.
        os.environ.setdefault("UV_SYSTEM_CERTS", "1")
    try:
        tools = bring_tools()
        if verb in DIRECT_VERBS:
            providers = ["providers"] if wants_providers(rest, os.environ) else []
            sync_runtime(tools, extras=["mcp", *providers])
            replace_process([str(ROOT / ".venv" / "bin" / "mainspring"), verb, *rest])
        os.environ["PATH"] = f"{tools}{os.pathsep}{os.environ.get('PATH', '')}"
        os.environ["UV_PYTHON"] = interpreter()
        target = ["--list"] if verb in ("", "help", "-h", "--help", "--list") else ["-x", verb]
        replace_process([str(tools / "task"), *target, "--", *rest])
    except OSError as error:
        return complain(
            f"cannot prepare the tools under {ROOT}: {error}; see disk space and permissions"
        )
    except subprocess.CalledProcessError as error:
        return complain(f"a step failed with status {error.returncode}; its output is above")


def keep_home(environment: MutableMapping[str, str]) -> None:
    """A relative MAINSPRING_HOME is meant from where the user stands, not from this folder."""
    home = environment.get("MAINSPRING_HOME")
    if home:
        environment["MAINSPRING_HOME"] = str(Path(home).absolute())


def split(arguments: Sequence[str]) -> tuple[str, list[str]]:
    """The verb and its arguments, without the one leading `--` that go-task's users are used to."""
    if not arguments:
        return "", []
    rest = list(arguments[1:])
    return arguments[0], rest[1:] if rest[:1] == ["--"] else rest


def wants_providers(rest: Sequence[str], environment: Mapping[str, str]) -> bool:
    """Real model providers weigh 100 MB, so they are installed only where a key or a flag asks."""
    asked = any(word.split("=")[0] == "--provider" for word in rest)
    return asked or any(environment.get(key) for key in PROVIDER_KEYS)


def has_certificates() -> bool:
    """Slim systems have none; there uv's own list is the better one."""
    paths = ssl.get_default_verify_paths()
    return bool(paths.cafile) or (bool(paths.capath) and any(Path(paths.capath).iterdir()))


def interpreter() -> str:
    """An environment that exists keeps its interpreter; otherwise the one that runs this file."""
    present = ROOT / ".venv" / "bin" / "python"
    return str(present) if present.exists() else sys.executable


def sync_runtime(tools: Path, *, extras: Sequence[str]) -> None:
    say("syncing the packages of the five services (the first time downloads them)")
    command = [str(tools / "uv"), "sync", "--inexact", "--package", "mainspring-local"]
    run([*command, *(f"--extra={name}" for name in extras), "--python", interpreter()])


def bring_tools() -> Path:
    """The folder that holds `uv` and `task`; installs them once per change of the pins."""
    TOOLS.mkdir(exist_ok=True)
    stamp = TOOLS / "pins"
    with held_lock(TOOLS / "lock"):
        for folder in (TOOLS / "venv" / "bin", TOOLS / "site" / "bin"):
            if (
                (folder / "task").exists()
                and stamp.exists()
                and stamp.read_text() == "\n".join(PINS)
            ):
                return folder
        say(f"bringing {' and '.join(PINS)} into .tools/ (once)")
        folder = install_in_venv() or install_beside() or None
        if folder is None:
            python = f"python{sys.version_info.major}.{sys.version_info.minor}"
            sys.exit(
                complain(
                    f"{python} has neither venv nor pip; install one "
                    f"(Debian: apt install {python}-venv)"
                )
            )
        stamp.write_text("\n".join(PINS))
        return folder


def install_in_venv() -> Path | None:
    venv = TOOLS / "venv"
    shutil.rmtree(venv, ignore_errors=True)
    made = subprocess.run(
        [sys.executable, "-m", "venv", str(venv)], capture_output=True, check=False
    )
    if made.returncode != 0:
        shutil.rmtree(venv, ignore_errors=True)
        return None
    run(
        [str(venv / "bin" / "python"), "-m", "pip", "install", "--disable-pip-version-check", *PINS]
    )
    return venv / "bin"


def install_beside() -> Path | None:
    """Debian may ship Python without venv, and its pip refuses to touch the system."""
    probe = subprocess.run(
        [sys.executable, "-m", "pip", "--version"], capture_output=True, check=False
    )
    if probe.returncode != 0:
        return None
    site = TOOLS / "site"
    shutil.rmtree(site, ignore_errors=True)
    run(
        [
            sys.executable,
            "-m",
            "pip",
            "install",
            "--disable-pip-version-check",
            "--target",
            str(site),
            *PINS,
        ]
    )
    return site / "bin"


@contextmanager
def held_lock(path: Path) -> Generator[None]:
    """Two verbs started at once must not install into the same folder."""
    with path.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def run(command: Sequence[str]) -> None:
    subprocess.run(command, check=True)


def replace_process(command: Sequence[str]) -> NoReturn:
    sys.stdout.flush()
    os.execv(command[0], list(command))  # noqa: S606 -- no shell is wanted here


def stop_on_signals() -> None:
    """Background jobs of a shell start with SIGINT ignored, so ask for both explicitly."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, leave)


def leave(number: int, _frame: FrameType | None) -> None:
    sys.exit(128 + number)


def say(text: str) -> None:
    print(f"mainspring: {text}", file=sys.stderr, flush=True)


def complain(text: str) -> int:
    say(text)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
