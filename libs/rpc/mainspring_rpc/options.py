"""Settings of gRPC's core, for both ends: they must fit each other."""

import os
from typing import Final

from mainspring_kernel import limits

Option = tuple[str, int | str]

_KEEPALIVE: Final[tuple[Option, ...]] = (
    # Without these an idle channel never notices that its peer is gone.
    ("grpc.keepalive_time_ms", round(limits.RPC_KEEPALIVE_S * 1000)),
    ("grpc.keepalive_timeout_ms", round(limits.RPC_KEEPALIVE_TIMEOUT_S * 1000)),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
)
_SIZES: Final[tuple[Option, ...]] = (
    ("grpc.max_receive_message_length", limits.RPC_MESSAGE_BYTES_MAX),
    ("grpc.max_send_message_length", limits.RPC_MESSAGE_BYTES_MAX),
)

CHANNEL: Final[tuple[Option, ...]] = (
    *_KEEPALIVE,
    *_SIZES,
    # Retry belongs to the engine alone.
    ("grpc.enable_retries", 0),
    ("grpc.service_config_disable_resolution", 1),
    # A proxy of the environment must not catch calls inside the house.
    ("grpc.enable_http_proxy", 0),
    # A restarted server is used again soon; gRPC's own default waits a second, then doubles.
    ("grpc.initial_reconnect_backoff_ms", 50),
    ("grpc.min_reconnect_backoff_ms", 50),
    ("grpc.max_reconnect_backoff_ms", 1000),
    # A name that stands for several replicas uses them all.
    ("grpc.lb_policy_name", "round_robin"),
    # Channels of one process do not share connections, and so not one another's backoff.
    ("grpc.use_local_subchannel_pool", 1),
)

_SERVER: Final[tuple[Option, ...]] = (
    *_KEEPALIVE,
    *_SIZES,
    # Clients ping every 20 s. By default a server sends GOAWAY `too_many_pings` under 5 minutes.
    ("grpc.http2.min_recv_ping_interval_without_data_ms", 5_000),
    ("grpc.http2.min_ping_interval_without_data_ms", 5_000),
    # Two processes must not share a port by accident, each with half of the calls.
    ("grpc.so_reuseport", 0),
)


def server_options(connection_age_s: float | None) -> list[Option]:
    """The server's settings.

    `connection_age_s` closes connections after this time (gRPC adds 10 % jitter itself), with
    another tenth of it as grace, so that long streams move to new replicas. None: never.
    """
    if connection_age_s is None:
        return list(_SERVER)
    age_ms = round(connection_age_s * 1000)
    return [
        *_SERVER,
        ("grpc.max_connection_age_ms", age_ms),
        ("grpc.max_connection_age_grace_ms", age_ms // 10),
    ]


def quieten() -> None:
    """Keeps gRPC's C core from writing plain lines between our JSON ones; ours tell the same.

    Must precede the first channel or server. An operator's own setting wins.
    """
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # noqa: TID251 - gRPC reads nothing else
