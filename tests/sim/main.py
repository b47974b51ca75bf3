"""The verb: many seeds over both cores with a line of progress, one seed in full, or ablations."""

import argparse
import logging
import os
import sys
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final

from msgspec import Struct

from tests.sim import ablations
from tests.sim.apart import apart
from tests.sim.run import Ran, run
from tests.sim.safeguards import SAFEGUARDS, without

STEPS_MIN: Final = 200
FAULT_KINDS_MIN: Final = 3
"""Below these a seed proves nothing; weather sees to the engines."""
SHOWN_MAX: Final = 20
_HASH_SEED: Final = "0"
"""Pinned: the order of sets of strings is part of a seed."""


class Tally(Struct, kw_only=True):
    """What many seeds came to."""

    seeds: int = 0
    toys: int = 0
    """Seeds below a floor: they do not count."""
    steps: int = 0
    turns: int = 0
    programs: int = 0
    virtual_s: float = 0.0
    faults: Counter[str] = Counter()
    failed: list[Ran] = []

    def add(self, ran: Ran) -> None:
        self.steps += ran.steps
        self.turns += ran.turns
        self.programs += ran.programs
        self.virtual_s += ran.virtual_s
        self.faults += ran.faults
        if ran.steps < STEPS_MIN or len(ran.faults) < FAULT_KINDS_MIN:
            self.toys += 1
        else:
            self.seeds += 1
        if ran.problems:
            self.failed.append(ran)


def main(arguments: Sequence[str]) -> int:
    """0 where every rule held in every seed; 1 otherwise, with the seeds to run again."""
    asked = _parser().parse_args(arguments)
    if os.environ.get("PYTHONHASHSEED") != _HASH_SEED:
        command = [sys.executable, "-m", "tests.sim", *arguments]
        os.execve(sys.executable, command, os.environ | {"PYTHONHASHSEED": _HASH_SEED})
    logging.disable(logging.CRITICAL)
    if asked.safeguards is not None:
        return _ablate(asked.safeguards or list(SAFEGUARDS), asked.seeds, asked.processes)
    if asked.ablations is not None:
        names = asked.ablations or list(SAFEGUARDS)
        command = f"./task sim --ablations --seeds {asked.seeds}"
        return ablations.measure(names, asked.seeds, asked.processes, command)
    seeds = range(asked.first, asked.first + asked.seeds)
    began = time.monotonic()
    tally = Tally()
    for ran in apart(run, seeds, asked.processes):
        tally.add(ran)
        if asked.traces:
            print(f"trace {ran.seed} {ran.trace}")
        if ran.problems:
            print(f"seed {ran.seed} failed: {ran.problems[0][:200]}", flush=True)
        _progress(tally, len(seeds), time.monotonic() - began)
    print()
    return _report(tally, time.monotonic() - began)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="./task sim", description=__doc__)
    parser.add_argument("--seeds", type=int, default=500, help="how many; 500")
    parser.add_argument("--first", type=int, default=0, help="the first one; 0")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1, help="processes")
    parser.add_argument(
        "--safeguards", nargs="*", metavar="NAME", choices=list(SAFEGUARDS),
        help="take away one after the other, or those named; seeds must show that it is away",
    )  # fmt: skip
    parser.add_argument(
        "--ablations", nargs="*", metavar="NAME", choices=list(SAFEGUARDS),
        help="measure how many of --seeds it takes to miss each; writes docs/figures",
    )  # fmt: skip
    parser.add_argument("--traces", action="store_true", help="print the hash of each seed")
    return parser


def _progress(tally: Tally, of: int, seconds: float) -> None:
    done = tally.seeds + tally.toys
    if sys.stdout.isatty() or done % 50 == 0 or done == of:
        end = "\r" if sys.stdout.isatty() else "\n"
        print(f"{done:,}/{of:,} seeds, {len(tally.failed)} failed, {seconds:.0f} s", end=end)


def _report(tally: Tally, seconds: float) -> int:
    done = tally.seeds + tally.toys
    print(
        f"{done:,} seeds in {seconds:.0f} s, {tally.toys} of them toys; {tally.turns:,} turns, "
        f"{tally.programs:,} programs, {tally.steps:,} steps, "
        f"{tally.virtual_s / 3600:.1f} hours of virtual time"
    )
    for kind, count in sorted(tally.faults.items()):
        print(f"  {kind:28} {count:,}")
    for ran in tally.failed[:SHOWN_MAX]:
        print(f"seed {ran.seed} failed: ./task sim --first {ran.seed} --seeds 1")
        for problem in dict.fromkeys(ran.problems):
            print(f"    {problem[:300]}")
    return 1 if tally.failed or not tally.seeds else 0


def _ablate(names: Iterable[str], seeds: int, processes: int) -> int:
    """Each safeguard is taken away, and seeds run until a rule is seen to break."""
    unseen = 0
    for name in names:
        with without(name):
            found = next((ran for ran in apart(run, range(seeds), processes) if ran.problems), None)
        unseen += found is None
        told = "NOT MISSED" if found is None else f"missed by seed {found.seed}: "
        print(f"{name:40} {told}{found.problems[0][:120] if found else ''}", flush=True)
    return 1 if unseen else 0
