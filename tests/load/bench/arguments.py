"""What can be said to `./task bench`."""

import argparse
import math
import os
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

from msgspec.structs import replace

from tests.load.bench.peers.ratios import NAMES
from tests.load.bench.plan import Plan, quick
from tests.load.bench.rounds import ROUNDS_MAX
from tests.load.bench.scenarios.catalogue import SCENARIOS

COMPARED = ("workflow", "steps", "throughput", "dispatch")
EXAMPLES = """
examples:
  ./task bench --json report.json --html report.html
  ./task bench dispatch --workers 1000,3000 --rate 200
  ./task bench turns --clients 1,8,32 --seconds 20
  ./task bench turns sse --target http://127.0.0.1:9000 --engine 127.0.0.1:9001
  ./task bench --peers --json report.json
  ./task bench peers pgqueuer dbos --html peers.html
  ./task bench compare before.json after.json --limit 10
"""


class Arguments(argparse.Namespace):
    scenarios: Sequence[str] = ()
    peers: Sequence[str] = ()
    json: Path | None = None
    html: Path | None = None
    quick: bool = False
    seconds: float | None = None
    clients: Sequence[int] = ()
    workers: Sequence[int] = ()
    streams: Sequence[int] = ()
    rate: float | None = None
    by_chance: bool = False
    history: int | None = None
    sleepers: int | None = None
    held: float | None = None
    keys: int | None = None
    tasks: int | None = None
    minutes: float | None = None
    rounds: int = 1
    profile: Path | None = None
    sampling: float = 0.0
    target: str = ""
    engine: str = ""
    postgres: str = ""
    allow_remote: bool = False


class Comparison(argparse.Namespace):
    before: Path = Path()
    after: Path = Path()
    limit: float | None = None


def parser() -> argparse.ArgumentParser:
    told = "\n".join(f"  {name:<10} {one.what}" for name, one in SCENARIOS.items())
    top = argparse.ArgumentParser(
        prog="./task bench",
        description="Measures a stack: its own, or with --target one that is there already.",
        epilog=f"scenarios:\n{told}\n{EXAMPLES}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument(
        "scenarios", nargs="*", metavar="SCENARIO", type=_one_of("scenario", SCENARIOS),
        help="all that are short by default",
    )  # fmt: skip
    top.add_argument(
        "--peers",
        action="store_const",
        const=NAMES,
        default=(),
        help="and the same work through others, in the same run",
    )
    _add_rounds(top)
    out = top.add_argument_group("reports")
    _add_reports(out)
    _add_loads(top.add_argument_group("loads"))
    where = top.add_argument_group("where")
    where.add_argument("--target", metavar="URL", help="the api of a stack that is there already")
    where.add_argument("--engine", metavar="ADDRESSES", help="its engines, HOST:PORT,…")
    where.add_argument("--postgres", metavar="URL", help="its database, to recount and account")
    where.add_argument("--allow-remote", action="store_true", help="it may be another machine")
    return top


def peers_parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(
        prog="./task bench peers",
        description="The same work through us and through others, on this machine, one by one.",
    )
    top.add_argument(
        "peers", nargs="*", metavar="PEER", type=_one_of("peer", NAMES),
        help=f"all of {', '.join(NAMES)}",
    )  # fmt: skip
    _add_rounds(top)
    _add_reports(top)
    top.add_argument("--quick", action="store_true", help="shorter windows, rougher figures")
    return top


def _add_reports(to: "argparse.ArgumentParser | argparse._ArgumentGroup") -> None:
    to.add_argument("--json", type=_new_file, metavar="FILE", help="one JSON object")
    to.add_argument("--html", type=_new_file, metavar="FILE", help="one page with plots")


def _new_file(text: str) -> Path:
    """Asked before anything is measured, for that takes minutes."""
    path = Path(text)
    if path.is_dir() or not os.access(path.parent, os.W_OK):
        message = f"{text} cannot be written"
        raise argparse.ArgumentTypeError(message)
    return path


def _one_of(what: str, names: Collection[str]) -> Callable[[str], str]:
    def known(text: str) -> str:
        if text not in names:
            message = f"there is no {what} {text}; there are {', '.join(names)}"
            raise argparse.ArgumentTypeError(message)
        return text

    return known


def _above_zero(text: str) -> float:
    number = float(text)
    if not 0 < number < math.inf:
        message = f"{text}: a number above 0"
        raise argparse.ArgumentTypeError(message)
    return number


def _from(least: int) -> Callable[[str], int]:
    def whole(text: str) -> int:
        if not text.isdecimal() or int(text) < least:
            message = f"{text}: a whole number from {least}"
            raise argparse.ArgumentTypeError(message)
        return int(text)

    return whole


def _part(text: str) -> float:
    number = float(text)
    if not 0 <= number <= 1:
        message = f"{text}: a number from 0 to 1"
        raise argparse.ArgumentTypeError(message)
    return number


def _percent(text: str) -> float:
    number = float(text)
    if not 0 <= number < math.inf:
        message = f"{text}: a number from 0"
        raise argparse.ArgumentTypeError(message)
    return number


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(map(_from(1), text.split(",")))


def _add_rounds(top: argparse.ArgumentParser) -> None:
    top.add_argument(
        "--rounds",
        type=int,
        default=1,
        choices=range(1, ROUNDS_MAX + 1),
        metavar="N",
        help="everything N times in turn; each figure is the middle one",
    )


def _add_loads(group: "argparse._ArgumentGroup") -> None:
    group.add_argument("--quick", action="store_true", help="a minute or so, rougher figures")
    group.add_argument("--seconds", type=_above_zero, metavar="N", help="of each measured window")
    group.add_argument("--clients", type=_numbers, metavar="N,…", help="of turns; 1,32")
    group.add_argument(
        "--workers", type=_numbers, metavar="N,…", help="simulated, of dispatch; 1000,3000"
    )
    group.add_argument(
        "--rate", type=_above_zero, metavar="N", help="per second, of dispatch and soak"
    )
    group.add_argument("--by-chance", action="store_true", help="arrivals of dispatch: Poisson")
    group.add_argument("--sleepers", type=_from(0), metavar="N", help="timers asleep; 100000")
    group.add_argument("--streams", type=_numbers, metavar="N,…", help="of sse; 200,2000")
    group.add_argument("--history", type=_from(1), metavar="N", help="messages of the old session")
    group.add_argument("--tasks", type=_from(1), metavar="N", help="of a queue's burst; 30000")
    group.add_argument(
        "--held", type=_above_zero, metavar="SECONDS", help="of horizon's snapshot; 300"
    )
    group.add_argument("--keys", type=_from(1), metavar="N", help="different ones of keys; 1000")
    group.add_argument("--minutes", type=_above_zero, metavar="N", help="of soak; 10")
    group.add_argument("--sampling", type=_part, metavar="RATIO", help="of traces; 0")
    group.add_argument("--profile", type=Path, metavar="FOLDER", help="samples of the services")


def comparison_parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(
        prog="./task bench compare", description="Two reports side by side."
    )
    top.add_argument("before", type=Path, metavar="A.json")
    top.add_argument("after", type=Path, metavar="B.json")
    top.add_argument(
        "--limit", type=_percent, metavar="PERCENT", help="fail where a figure lost more than this"
    )
    return top


def plan_of(parsed: Arguments) -> Plan:
    plan = quick(Plan()) if parsed.quick else Plan()
    plan = replace(plan, traced=plan.traced and not parsed.scenarios and not parsed.target)
    if parsed.scenarios == COMPARED:
        plan = replace(plan, workers=())
    if parsed.target:
        plan = replace(plan, nested_turns=0)
    return replace(plan, **sizes(parsed), by_chance=parsed.by_chance)


def sizes(parsed: Arguments) -> dict[str, float | tuple[int, ...]]:
    """What was asked for, by the names of the plan."""
    asked: dict[str, float | None] = dict.fromkeys(
        ("one_s", "many_s", "stream_s", "dispatch_s"), parsed.seconds
    )
    asked |= dict.fromkeys(("tasks_per_s", "soak_per_s"), parsed.rate)
    asked |= {
        "history": parsed.history,
        "sleepers": parsed.sleepers,
        "held_s": parsed.held,
        "keys": parsed.keys,
        "queue_tasks": parsed.tasks,
        "soak_minutes": parsed.minutes,
    }
    lists = {"clients": parsed.clients, "workers": parsed.workers, "streams": parsed.streams}
    return {name: value for name, value in asked.items() if value is not None} | {
        name: tuple(found) for name, found in lists.items() if found
    }


def parse(words: Sequence[str]) -> Arguments:
    return parser().parse_args(words, namespace=Arguments())


def parse_peers(words: Sequence[str]) -> Arguments:
    """What everyone can be compared by is measured of us as well."""
    parsed = peers_parser().parse_args(words, namespace=Arguments())
    parsed.scenarios = COMPARED
    parsed.peers = parsed.peers or NAMES
    return parsed
