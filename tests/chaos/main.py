"""The verb: breaks a stack of real processes for some minutes and says what it found."""

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec

from mainspring_local.errors import StartProblem
from tests.chaos import crash_points, report, trees
from tests.chaos.ablation import SAFEGUARDS
from tests.chaos.campaign import REST_S, Campaign, Options, commit
from tests.chaos.nemesis import EVERY_S


def main(arguments: Sequence[str]) -> int:
    """0 where every promise was kept; 1 with what was not; 2 where nothing was tried."""
    asked = _parser().parse_args(arguments)
    if asked.crash_points is not None:
        return _cut_everywhere(asked, f"./task chaos {' '.join(arguments)}")
    with tempfile.TemporaryDirectory(prefix="chaos-", ignore_cleanup_errors=True) as made:
        try:
            options = _options(asked, Path(made), f"./task chaos {' '.join(arguments)}".rstrip())
        except StartProblem as problem:
            print(f"chaos: {problem}", file=sys.stderr)
            return 2
        folder = Path(made) / "run" if asked.keep is None else asked.keep
        folder.mkdir(parents=True, exist_ok=True)
        told = asyncio.run(Campaign(options, folder, _say).play())
    report.write(told, asked.report)
    print("\n".join(report.lines(told)))
    print(f"written to {asked.report}/report.json and report.html")
    return 0 if told.sound else 1


def _options(asked: argparse.Namespace, folder: Path, command: str) -> Options:
    """Raises StartProblem where there is no version to stand beside this one."""
    return Options(
        minutes=asked.minutes, seed=asked.seed, pace=asked.pace, people=asked.people,
        customers=asked.customers, rest_s=asked.rest,
        without=asked.without, only=frozenset(asked.only or ()),
        beside=None if asked.beside is None else _beside(asked.beside, folder / "beside"),
        command=command,
    )  # fmt: skip


def _beside(ref: str, folder: Path) -> trees.Tree:
    here = trees.present()
    other = trees.checked_out(ref or trees.previous(here.root), folder)
    _say(f"beside {other.name}, with {len(trees.added(other, here))} migrations between")
    for service in trees.foreign(other, here):
        _say(f"{service} of {other.name} has other third-party packages; it runs with those of now")
    return other


def _cut_everywhere(asked: argparse.Namespace, command: str) -> int:
    kinds = asked.crash_points or crash_points.KINDS
    with tempfile.TemporaryDirectory(prefix="chaos-", ignore_cleanup_errors=True) as made:
        folder = Path(made) if asked.keep is None else asked.keep
        began = time.monotonic()
        stages = asyncio.run(crash_points.play_all(folder, kinds, asked.places or (), _say))
        told = crash_points.told(stages, command, commit(), time.monotonic() - began)
    asked.report.mkdir(parents=True, exist_ok=True)
    written = asked.report / "crash-points.json"
    written.write_bytes(msgspec.json.format(msgspec.json.encode(told), indent=2))
    print("\n".join(crash_points.lines(told)))
    print(f"written to {written}")
    return 1 if told.violations else 0


def _say(text: str) -> None:
    print(text, flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="./task chaos", description=__doc__)
    parser.add_argument("--minutes", type=float, default=1.0, help="how long things break; 1")
    parser.add_argument("--seed", type=int, default=0, help="of the schedule of faults; 0")
    parser.add_argument("--pace", type=float, default=1.0, help="multiplies how often; 1")
    parser.add_argument("--people", type=int, default=6, help="who talk at once; 6")
    parser.add_argument("--customers", type=int, default=4, help="who start programs; 4")
    parser.add_argument("--rest", type=float, default=REST_S, help="seconds to come to rest")
    parser.add_argument("--report", type=Path, default=Path(".mainspring/chaos"), metavar="FOLDER")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="where logs and data stay")
    parser.add_argument(
        "--without", default="", choices=list(SAFEGUARDS), help="a safeguard to take away"
    )
    parser.add_argument(
        "--only", nargs="+", metavar="KIND", choices=list(EVERY_S), help="these kinds of fault"
    )
    parser.add_argument(
        "--beside", nargs="?", const="", metavar="REF",
        help="no faults: deploy this tree over that revision and back; without one, over what "
        "stood before the last tag or change of the schema. MINUTES both are at work",
    )  # fmt: skip
    parser.add_argument(
        "--crash-points", nargs="*", metavar="KIND", choices=crash_points.KINDS,
        help="instead: one turn, cut behind each event of its journal by a kill of that kind",
    )  # fmt: skip
    parser.add_argument("--places", nargs="+", type=int, help="behind these events alone")
    return parser
