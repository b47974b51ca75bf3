"""What is said of a server's address says no password."""

import pytest

from mainspring_kernel.addresses import host_of


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
