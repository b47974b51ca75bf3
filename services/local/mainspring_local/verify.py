"""`mainspring verify [SESSION]`: whether what is stored is sound.

Of a session the event store recomputes the hash chain. Without one every invariant is asked of one
snapshot of all tables, and says how many rows it examined.
"""

from mainspring_kernel import ids
from mainspring_kernel.errors import MainspringError
from mainspring_local.console import Console
from mainspring_local.errors import StartProblem
from mainspring_local.invariants import checks
from mainspring_postgres import Database, Options
from mainspring_rpc.channel import Channel
from mainspring_rpc.clients import EventStoreClient
from mainspring_rpc.generated.eventstore.v1 import eventstore_pb2 as eventstore

CHAIN_SECONDS_MAX = 120.0
"""Of one session."""
INVARIANT_SECONDS_MAX = 3600.0
"""Of all rows: the chains of three million events took 40 s."""
COLUMNS = "{:<46} {:>9} {:>7}"
HEADING = COLUMNS.format("invariant", "examined", "broken")


async def session(address: str, session_id: str, console: Console) -> bool:
    """Prints the verdict. Raises StartProblem where there is none."""
    channel = Channel(address)
    try:
        key = ids.from_wire(ids.Prefix.SESSION, session_id)
        request = eventstore.VerifyRequest(session_id=key.bytes)
        answer = await EventStoreClient(channel).verify(request, timeout_s=CHAIN_SECONDS_MAX)
    except MainspringError as error:
        raise StartProblem(f"cannot verify {session_id}: {error}") from error
    finally:
        await channel.close()
    if not answer.intact and not answer.broken_seq:
        raise StartProblem(f"cannot verify {session_id}: {answer.reason}")
    if answer.intact:
        head = answer.head_hash.hex()
        console.say(f"{session_id}: {answer.events} events, chain intact, head {head}")
    else:
        console.say(f"{session_id}: broken at sequence {answer.broken_seq}: {answer.reason}")
    return answer.intact


async def everything(url: str, console: Console) -> bool:
    """Prints each invariant as it is asked, with the rows it examined and those that break it."""
    options = Options(
        url=url,
        application_name="mainspring-verify",
        connections_max=1,
        statement_timeout_ms=round(INVARIANT_SECONDS_MAX * 1000),
        durability_required=False,  # it writes nothing
    )
    asked, broken = 0, 0
    try:
        database = await Database.open(options)
        try:
            console.raw(HEADING)
            async with database.snapshot() as tx:
                for query in checks.invariants():
                    finding = await checks.ask(tx, query)
                    console.raw(line(finding))
                    asked, broken = asked + 1, broken + bool(finding.violating)
        finally:
            await database.close()
    except MainspringError as error:
        raise StartProblem(f"cannot read what is stored: {error}") from error
    console.say(f"{asked} invariants, {broken} broken")
    return broken == 0


def line(finding: checks.Finding) -> str:
    """Name, rows examined and rows violating; of a broken one the rule and the rows too."""
    counts = COLUMNS.format(finding.name, finding.examined, len(finding.violating))
    if not finding.violating:
        return counts
    return "\n  ".join([counts, finding.rule, *finding.violating])
