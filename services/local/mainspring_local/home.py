"""The folder that holds a stack's data and logs, and the lock that gives it one owner."""

import errno
import fcntl
import os
import secrets
import shutil
from pathlib import Path
from typing import IO

import msgspec

from mainspring_local import identity
from mainspring_local.errors import StartProblem

# A fresh cluster is 40 MiB and its write-ahead log grows to 1 GiB under load; below this a first
# turn already fails half-way, so better say it before anything starts.
DISK_FREE_BYTES_MIN = 256 * 1024 * 1024


class Home(msgspec.Struct, frozen=True):
    root: Path

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def records(self) -> Path:
        return self.root / "processes"

    @property
    def traces(self) -> Path:
        return self.root / "traces"

    @property
    def lock(self) -> Path:
        return self.root / "lock"

    @property
    def ports(self) -> Path:
        return self.root / "ports.json"

    @property
    def passwords(self) -> Path:
        return self.root / "passwords.json"

    def prepare(self) -> None:
        try:
            for folder in (self.root, self.logs, self.records, self.traces):
                folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            probe = self.root / f".probe-{os.getpid()}"
            probe.write_bytes(b"writable")
            probe.unlink()
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise no_space(self.root, 0) from error
            raise StartProblem(
                f"cannot write to {self.root} ({error.strerror}); "
                "choose another folder with MAINSPRING_HOME"
            ) from error
        free = shutil.disk_usage(self.root).free
        if free < DISK_FREE_BYTES_MIN:
            raise no_space(self.root, free)


def no_space(root: Path, free: int) -> StartProblem:
    return StartProblem(
        f"only {free // 2**20} MiB are free under {root}; make room (at least "
        f"{DISK_FREE_BYTES_MIN // 2**20} MiB) or choose another folder with MAINSPRING_HOME"
    )


class Lock:
    """Held for as long as the owner lives: the kernel lets go of it when the owner dies."""

    def __init__(self, handle: IO[str]) -> None:
        self._handle = handle

    def release(self) -> None:
        # Emptied, not removed: removing a locked file would let two owners hold two different ones.
        self._handle.truncate(0)
        self._handle.close()


def take_lock(home: Home) -> tuple[Lock, bool]:
    """The lock, and whether its last owner went away without releasing it.

    Raises StartProblem while another living stack owns the folder.
    """
    handle = home.lock.open("a+", encoding="utf-8")
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        owner = lock_owner(home)
        handle.close()
        raise StartProblem(
            f"another stack{f' (pid {owner.pid})' if owner else ''} runs on {home.root}; stop it "
            "with `./task down`, or set MAINSPRING_HOME and MAINSPRING_API_PORT for a second one"
        ) from error
    handle.seek(0)
    crashed = bool(handle.read().strip())
    handle.truncate(0)
    handle.write(msgspec.json.encode(identity.of(os.getpid(), name="mainspring")).decode())
    handle.flush()
    return Lock(handle), crashed


def lock_owner(home: Home) -> identity.Process | None:
    """The process that wrote the lock, if it is still that process."""
    try:
        owner = msgspec.json.decode(home.lock.read_bytes(), type=identity.Process)
    except (OSError, msgspec.DecodeError):
        return None
    return owner if identity.is_alive(owner) else None


def passwords(home: Home, names: tuple[str, ...]) -> dict[str, str]:
    """One password per name, generated once and readable by the owner alone."""
    known: dict[str, str] = {}
    if home.passwords.exists():
        known = msgspec.json.decode(home.passwords.read_bytes(), type=dict[str, str])
    missing = [name for name in names if name not in known]
    if missing:
        known |= {name: secrets.token_urlsafe(24) for name in missing}
        write_private(home.passwords, msgspec.json.encode(known))
    return known


def write_private(path: Path, content: bytes) -> None:
    """Replaces the file at once, mode 0600 from its first byte."""
    fresh = path.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as handle:
        handle.write(content)
        handle.flush()
        os.fsync(handle.fileno())
    fresh.replace(path)
