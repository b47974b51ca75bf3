"""Which process is which: a pid alone is reused, a pid with its start time is not."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import msgspec

POLL_SECONDS = 0.02
START_TIME_FIELD = 19  # of /proc/PID/stat, counted behind the command's closing bracket
STATE_FIELD = 0


class Process(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    pid: int
    started: str
    """Opaque; equal only for the very same process of the very same boot."""
    stop_signal: int = int(signal.SIGTERM)


def of(pid: int, *, name: str, stop_signal: int = signal.SIGTERM) -> Process:
    return Process(name=name, pid=pid, started=started(pid) or "", stop_signal=int(stop_signal))


def is_alive(process: Process) -> bool:
    return bool(process.started) and started(process.pid) == process.started


def started(pid: int) -> str | None:
    """When the process started, or None where there is none (a zombie counts as gone)."""
    if sys.platform == "linux":
        return started_linux(pid)
    found = subprocess.run(
        ["ps", "-o", "lstart=", "-p", str(pid)],  # noqa: S607 -- ps stands at different places
        capture_output=True,
        text=True,
        check=False,
    )
    return found.stdout.strip() or None


def started_linux(pid: int) -> str | None:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return None
    fields = stat.rpartition(")")[2].split()
    if fields[STATE_FIELD] in ("Z", "X"):
        return None
    return f"{boot}:{fields[START_TIME_FIELD]}"


def remember(folder: Path, process: Process) -> None:
    (folder / f"{process.name}.json").write_bytes(msgspec.json.encode(process))


def forget(folder: Path, name: str) -> None:
    (folder / f"{name}.json").unlink(missing_ok=True)


def remembered(folder: Path) -> list[Process]:
    """Every recorded process that still lives; records of others are dropped."""
    alive: list[Process] = []
    for path in sorted(folder.glob("*.json")):
        try:
            process = msgspec.json.decode(path.read_bytes(), type=Process)
        except (OSError, msgspec.DecodeError):
            path.unlink(missing_ok=True)
            continue
        if is_alive(process):
            alive.append(process)
        else:
            path.unlink(missing_ok=True)
    return alive


def end(process: Process, *, grace_seconds: float) -> None:
    """Asks by the process's own stop signal, then kills its group. Returns when it is gone."""
    send(process, process.stop_signal)
    if not wait_gone(process, grace_seconds):
        send(process, signal.SIGKILL)
        wait_gone(process, grace_seconds)


def send(process: Process, number: int) -> None:
    """A request goes to the process alone, SIGKILL to all it started: children lead own groups."""
    if not is_alive(process):
        return
    try:
        if number == signal.SIGKILL and os.getpgid(process.pid) == process.pid:
            os.killpg(process.pid, number)
        else:
            os.kill(process.pid, number)
    except ProcessLookupError:
        return


def wait_gone(process: Process, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while is_alive(process):
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_SECONDS)
    return True
