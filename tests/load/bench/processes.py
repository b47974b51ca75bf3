"""CPU seconds and memory of the stack's processes, as Linux counts them."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from msgspec import Struct

from tests.load.bench.report import Cost

TICKS_PER_S: Final = os.sysconf("SC_CLK_TCK")
# Of /proc/PID/stat, counted behind the command's closing bracket.
PARENT, USER, SYSTEM, CHILDREN_USER, CHILDREN_SYSTEM = 1, 11, 12, 13, 14


class Usage(Struct, frozen=True, kw_only=True):
    cpu_s: float
    memory_mib: float


def usage(pids: Mapping[str, int]) -> dict[str, Usage]:
    """By name; a server that works in children counts with them. Empty where there is no /proc."""
    if not Path("/proc/self/stat").exists():
        return {}
    parents = {pid: int(fields[PARENT]) for pid in all_pids() if (fields := stat(pid))}
    return {name: family(pid, parents) for name, pid in pids.items()}


def family(pid: int, parents: Mapping[int, int]) -> Usage:
    members = [pid, *(child for child, parent in parents.items() if parent == pid)]
    ticks = 0
    for member in members:
        fields = stat(member)
        if fields:
            ticks += int(fields[USER]) + int(fields[SYSTEM])
    own = stat(pid)
    if own:
        ticks += int(own[CHILDREN_USER]) + int(own[CHILDREN_SYSTEM])
    return Usage(cpu_s=ticks / TICKS_PER_S, memory_mib=sum(map(memory_mib, members)))


def memory_mib(pid: int) -> float:
    """What the process alone holds and its part of what it shares; the resident set where
    the kernel does not tell that."""
    for file, name in (("smaps_rollup", "Pss:"), ("status", "VmRSS:")):
        try:
            lines = Path(f"/proc/{pid}/{file}").read_text().splitlines()
        except OSError:
            continue
        for line in lines:
            if line.startswith(name):
                return int(line.split()[1]) / 1024
    return 0.0


def costs(before: Mapping[str, Usage], after: Mapping[str, Usage], units: int) -> list[Cost]:
    """The dearest first."""
    found = [
        Cost(
            process=name,
            cpu_s=after[name].cpu_s - before[name].cpu_s,
            cpu_ms_per_unit=(after[name].cpu_s - before[name].cpu_s) * 1000 / max(units, 1),
            memory_mib=after[name].memory_mib,
        )
        for name in before
        if name in after
    ]
    return sorted(found, key=lambda cost: -cost.cpu_s)


def busy_s() -> float:
    """CPU seconds of the whole machine since its start; 0 where there is no /proc."""
    try:
        words = Path("/proc/stat").read_text().splitlines()[0].split()
    except OSError:
        return 0.0
    user, nice, system, _idle, _waiting, *interrupts = (int(word) for word in words[1:9])
    return (user + nice + system + sum(interrupts)) / TICKS_PER_S


def others(busy: float, known: float, seconds: float) -> float:
    """Cores that processes outside the bench used, of `busy` CPU seconds in `seconds`."""
    return max(0.0, busy - known) / seconds


def all_pids() -> list[int]:
    return [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]


def stat(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def resident_mib(pid: int) -> float:
    """The resident set, which is cheap to ask for again and again; 0 where it cannot be had."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except OSError:
        return 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") / 1024 / 1024
