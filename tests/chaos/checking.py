"""At rest: what was acknowledged, streamed and done outside is what the tables say."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import Final, cast

import httpx
import msgspec

from mainspring_kernel.ids import Prefix, from_wire
from tests.chaos.database import Attempt
from tests.chaos.found import Findings
from tests.chaos.ledger import Line
from tests.chaos.listening import Json, Listener, Logged
from tests.chaos.nemesis import Strike
from tests.chaos.service import CLASSES
from tests.chaos.talking import Person

PAGE_ROWS: Final = 1000
_DONE: Final = re.compile(r'"done\\?": ?\\?"([\d-]+)')


class Event(msgspec.Struct, frozen=True, kw_only=True):
    sequence: int
    type: str
    data: msgspec.Raw


class _Page(msgspec.Struct, frozen=True, kw_only=True):
    data: list[Event]


async def events_of(http: httpx.AsyncClient, api: str, session: str) -> list[Event]:
    """The whole log of a session as REST tells it."""
    found: list[Event] = []
    while True:
        last = found[-1].sequence if found else 0
        answer = await http.get(
            f"{api}/sessions/{session}/events",
            params={"after_sequence": last, "limit": PAGE_ROWS},
        )
        page = msgspec.json.decode(answer.raise_for_status().content, type=_Page)
        found += page.data
        if len(page.data) < PAGE_ROWS:
            return found


def messages(
    people: Sequence[Person], logs: dict[str, list[Event]], inbox: dict[str, int],
    findings: Findings,
) -> None:  # fmt: skip
    """Each acknowledged message stands in its session's log once; a key made one message.

    `inbox` counts what was accepted by session: the log also has messages that end a turn.
    """
    written = {session: _inputs(events) for session, events in logs.items()}
    for person in people:
        for message, session in person.acknowledged.items():
            if not written[session][message]:
                findings.add("lost", f"{message} of {session} was acknowledged and is gone")
    keys = _keys(people)
    for session, inputs in written.items():
        for message in (message for message, count in inputs.items() if count > 1):
            findings.add("duplicate", f"{message} stands {inputs[message]} times in {session}")
        accepted = inbox.get(str(from_wire(Prefix.SESSION, session)), 0)
        if accepted > len(keys[session]):
            findings.add("duplicate", f"{accepted} messages of {len(keys[session])} keys")


def _keys(people: Iterable[Person]) -> dict[str, set[str]]:
    """Those that were ever sent, by session."""
    keys: dict[str, set[str]] = defaultdict(set)
    for person in people:
        for one in person.tries:
            keys[one.session].add(one.key)
    return keys


def _inputs(events: Sequence[Event]) -> Counter[str]:
    return Counter(
        str(cast("Json", msgspec.json.decode(event.data, type=dict[str, object])["message"])["id"])
        for event in events
        if event.type == "input.message"
    )


def streams(
    listeners: Iterable[Listener], logs: dict[str, list[Event]], findings: Findings
) -> None:
    """What each client logged is the log, event by event."""
    decoder = msgspec.json.Decoder(Logged)
    for listener in listeners:
        with listener.log.open("rb") as lines:
            got = [one for one in map(decoder.decode, lines) if one.n == 0]
        told = logs[listener.session]
        if [one.seq for one in got] != [event.sequence for event in told]:
            last = got[-1].seq if got else 0
            findings.add("sse", f"{listener.session}: {len(got)} of {len(told)}, last {last}")
        for one, event in zip(got, told, strict=False):
            if (one.type, _value(one.data)) != (event.type, _value(event.data)):
                findings.add("sse", f"{listener.session}: {one.seq} is {one.type}, not {event}")


def _value(raw: msgspec.Raw) -> object:
    return msgspec.json.decode(raw)


def effects(ledger: Sequence[Line], logs: dict[str, list[Event]], findings: Findings) -> int:
    """No effect beyond what its class promises, and none claimed that never was. How many were."""
    applied = [line for line in ledger if line.what == "applied"]
    times = Counter((line.tool, line.key) for line in applied)
    keys: dict[tuple[str, str], set[str]] = defaultdict(set)
    for line in applied:
        keys[line.tool, line.token].add(line.key)
    for (tool, key), count in times.items():
        if count > 1 and CLASSES[tool] in ("at_most_once", "verifiable"):
            findings.add("effect", f"{tool} took effect {count} times under {key}")
    for (tool, token), found in keys.items():
        if len(found) > 1:
            findings.add("effect", f"{tool} {token} took effect under {len(found)} keys")
    done = {token for events in logs.values() for token in _claimed(events)}
    for token in done - {line.token for line in applied}:
        findings.add("effect", f"{token} is said to be done and never was")
    return len(applied)


def _claimed(events: Sequence[Event]) -> Iterable[str]:
    for event in events:
        if event.type == "tool.completed":
            yield from _DONE.findall(bytes(event.data).decode())


def recoveries(strikes: Iterable[Strike], attempts: Sequence[Attempt]) -> list[float]:
    """Seconds from the end of a worker that held a task to the task's next claim, or its end."""
    following = {(one.task, one.fence): one for one in attempts}
    held: dict[str | None, list[Attempt]] = defaultdict(list)
    for one in attempts:
        held[one.worker].append(one)
    lost: list[float] = []
    for strike in strikes:
        for one in held[strike.target]:
            if one.claimed_ms <= strike.wall_ms <= one.closed_ms and one.closing != 1:
                then = following.get((one.task, one.fence + 1))
                until_ms = one.closed_ms if then is None else then.claimed_ms
                lost.append((until_ms - strike.wall_ms) / 1000)
    return lost
