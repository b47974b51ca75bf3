"""`python -m mainspring_rpc.probe HOST:PORT [SECONDS]`: 0 where that server serves, else 1."""

import asyncio
import sys

from mainspring_kernel.errors import MainspringError
from mainspring_rpc.channel import Channel
from mainspring_rpc.generated.health.v1 import health_pb2

_PATH = "/grpc.health.v1.Health/Check"
_USAGE = 2


async def serving(address: str, timeout_s: float = 2.0) -> bool:
    """Whether the server at `address` says that it serves."""
    channel = Channel(address)
    check = channel.unary(_PATH, health_pb2.HealthCheckRequest, health_pb2.HealthCheckResponse)
    try:
        answer = await check(health_pb2.HealthCheckRequest(), timeout_s=timeout_s)
    except MainspringError:
        return False
    finally:
        await channel.close()
    return is_serving(answer)


def is_serving(answer: health_pb2.HealthCheckResponse) -> bool:
    """Whether a health answer says so."""
    return answer.status == health_pb2.HealthCheckResponse.SERVING


def main(arguments: list[str]) -> int:
    """The exit status."""
    try:
        match arguments:
            case [address]:
                return 0 if asyncio.run(serving(address)) else 1
            case [address, seconds]:
                return 0 if asyncio.run(serving(address, float(seconds))) else 1
            case _:
                sys.stderr.write(f"{__doc__}\n")
    except ValueError as error:
        sys.stderr.write(f"{' '.join(arguments)}: {error}\n")
    return _USAGE


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
