import pytest

from tests.load.bench.crew import BenchFailed
from tests.load.bench.target import is_loopback, require_loopback, target_of

ELSEWHERE = "192.0.2.1"  # reserved for documents: nobody's


def test_an_engine_is_looked_for_beside_its_api() -> None:
    target = target_of("http://127.0.0.1:9000", "", "")

    assert (target.api.host, target.api.port) == ("127.0.0.1", 9000)
    assert target.engines == ("127.0.0.1:9001",)


def test_several_engines_may_be_named() -> None:
    target = target_of("localhost", "localhost:1, localhost:2", "")

    assert target.engines == ("localhost:1", "localhost:2")


def test_what_is_no_address_is_refused() -> None:
    with pytest.raises(BenchFailed, match="no address"):
        target_of("ftp://localhost", "", "")


def test_this_machine_may_be_loaded() -> None:
    require_loopback(target_of("127.0.0.1", "[::1]:9001", "postgresql://a:b@127.0.0.1/c"))


@pytest.mark.parametrize(
    ("api", "engine", "postgres"),
    [
        (ELSEWHERE, "127.0.0.1:9001", ""),
        ("127.0.0.1", f"{ELSEWHERE}:9001", ""),
        ("127.0.0.1", "127.0.0.1:9001", f"postgresql://a:b@{ELSEWHERE}/c"),
    ],
)
def test_another_machine_is_loaded_only_when_that_was_said(
    api: str, engine: str, postgres: str
) -> None:
    with pytest.raises(BenchFailed, match="is not this machine"):
        require_loopback(target_of(api, engine, postgres))


def test_a_name_is_this_machine_only_if_all_its_addresses_are() -> None:
    assert is_loopback(["127.0.0.1", "::1"])
    assert not is_loopback(["127.0.0.1", ELSEWHERE])
    assert not is_loopback([])
