"""What is said of a server's address says no password."""

import pytest

from mainspring_kernel.addresses import NatsServers, host_of, nats_servers


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("nats://127.0.0.1:4222", "127.0.0.1:4222"),
        ("nats://me:secret@[::1]:4222", "[::1]:4222"),
        ("me:secret@bus:4222", "bus:4222"),
        ("bus", "bus"),
        (
            "postgresql://me:secret@one:5432,two:5432/mainspring?sslmode=require",
            "one:5432,two:5432",
        ),
        ("postgresql:///mainspring", ""),
    ],
)
def test_an_address_is_told_without_who_asks(url: str, host: str) -> None:
    assert host_of(url) == host


@pytest.mark.parametrize(
    ("text", "servers"),
    [
        ("bus", NatsServers(("nats://bus",))),
        ("me:secret@bus:4222", NatsServers(("nats://bus:4222",), "me", "secret")),
        ("nats://token@bus", NatsServers(("nats://bus",), "token")),
        (
            "nats://me:secret@one:4222,[::1]:4222",
            NatsServers(("nats://one:4222", "nats://[::1]:4222"), "me", "secret"),
        ),
        (
            "tls://me:secret@one,tls://me:secret@two,tls://three",
            NatsServers(("tls://one", "tls://two", "tls://three"), "me", "secret"),
        ),
        (
            "wss://me:secret@one,two/path",
            NatsServers(("wss://one/path", "wss://two/path"), "me", "secret"),
        ),
        (
            "nats://me:p%40ss%2Fw%3Ard%25%20%C3%A9@bus",
            NatsServers(("nats://bus",), "me", "p@ss/w:rd% é"),
        ),
        ("nats://me:p@ss/w,rd@bus", NatsServers(("nats://bus",), "me", "p@ss/w,rd")),
    ],
)
def test_servers_of_nats_are_read_apart_from_who_connects(text: str, servers: NatsServers) -> None:
    assert nats_servers(text) == servers


def test_servers_are_told_without_who_connects() -> None:
    assert nats_servers("nats://me:secret@one,nats://me:secret@two:1").hosts == "one,two:1"


def test_one_connection_is_of_one_user() -> None:
    with pytest.raises(ValueError, match="users"):
        nats_servers("nats://me:secret@one,nats://you:secret@two")
