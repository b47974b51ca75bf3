"""`mainspring verify SESSION`: the event store recomputes the session's hash chain."""

from mainspring_kernel import ids
from mainspring_kernel.errors import MainspringError
from mainspring_local.console import Console
from mainspring_local.errors import StartProblem
from mainspring_rpc.channel import Channel
from mainspring_rpc.clients import EventStoreClient
from mainspring_rpc.generated.eventstore.v1 import eventstore_pb2 as eventstore

VERIFY_SECONDS_MAX = 120.0


async def session(address: str, session_id: str, console: Console) -> bool:
    """Prints the verdict. Raises StartProblem where there is none."""
    channel = Channel(address)
    try:
        key = ids.from_wire(ids.Prefix.SESSION, session_id)
        request = eventstore.VerifyRequest(session_id=key.bytes)
        answer = await EventStoreClient(channel).verify(request, timeout_s=VERIFY_SECONDS_MAX)
    except MainspringError as error:
        raise StartProblem(f"cannot verify {session_id}: {error}") from error
    finally:
        await channel.close()
    if answer.intact:
        head = answer.head_hash.hex()
        console.say(f"{session_id}: {answer.events} events, chain intact, head {head}")
    else:
        console.say(f"{session_id}: broken at sequence {answer.broken_seq}: {answer.reason}")
    return answer.intact
