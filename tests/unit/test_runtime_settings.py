from pathlib import Path
from typing import Annotated

import msgspec
import pytest

from mainspring_runtime.settings import (
    Address,
    Bind,
    BindHost,
    Problem,
    ProcessSettings,
    SettingsError,
    flaws_by,
    is_loopback,
    load,
)


class Example(ProcessSettings, frozen=True, kw_only=True):
    database_url: str
    nats_url: str = "nats://127.0.0.1:4222"
    engine_bind: Bind
    engine_addr: Address = Address("127.0.0.1", 9001)
    api_host: BindHost = BindHost("127.0.0.1")
    api_port: Annotated[int, msgspec.Meta(ge=0, le=65535)] = 9000
    home: Path | None = None


GOOD = {
    "MAINSPRING_DATABASE_URL": "postgresql://x:secret@127.0.0.1/y",
    "MAINSPRING_ENGINE_BIND": "127.0.0.1:9001",
}


def problems(**changes: str) -> dict[str, str]:
    with pytest.raises(SettingsError) as caught:
        load(Example, {**GOOD, **{f"MAINSPRING_{key}": value for key, value in changes.items()}})
    return {problem.variable: problem.reason for problem in caught.value.problems}


def test_settings_are_read_with_their_types_and_defaults() -> None:
    settings = load(
        Example,
        {
            **GOOD,
            "MAINSPRING_API_PORT": "8080",
            "MAINSPRING_HOME": "x/y",
            "MAINSPRING_TRACE_RATIO": "0.5",
            "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318",
            "UNRELATED": "1",
        },
    )

    assert settings.engine_bind == Bind("127.0.0.1", 9001)
    assert (settings.api_port, settings.home, settings.trace_ratio) == (8080, Path("x/y"), 0.5)
    assert settings.otlp_endpoint == "http://127.0.0.1:4318"
    assert settings.log_level == "INFO"


def test_an_empty_variable_is_an_absent_one() -> None:
    assert load(Example, {**GOOD, "MAINSPRING_API_PORT": " "}).api_port == 9000


def test_all_mistakes_are_told_at_once() -> None:
    with pytest.raises(SettingsError) as caught:
        load(Example, {"MAINSPRING_API_PORT": "many", "MAINSPRING_ENGINE_BIND": "nowhere"})

    assert {problem.variable for problem in caught.value.problems} == {
        "MAINSPRING_DATABASE_URL",
        "MAINSPRING_ENGINE_BIND",
        "MAINSPRING_API_PORT",
    }
    assert len(str(caught.value).splitlines()) == 3


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("API_PORT", "many", "expected int, got 'many'"),
        ("API_PORT", "70000", "expected int <= 65535"),
        ("ENGINE_BIND", "9001", "'9001' is not host:port"),
        ("ENGINE_BIND", "[::1]:1,[::1]:2", "'[::1]:1,[::1]:2' is not one host:port"),
        ("ENGINE_ADDR", "host:port", "'host:port' is not host:port"),
        ("ENGINE_ADDR", "host:70000", "'host:70000' is not host:port"),
        ("ENGINE_ADDR", "nowhere,host:1", "'nowhere' is not host:port"),
        ("ENGINE_ADDR", "host:port,host:1", "'host:port' is not host:port"),
        ("INSECURE_BIND", "perhaps", "expected bool, got 'perhaps'"),
        ("TRACE_RATIO", "1.5", "must lie in 0 to 1"),
        ("LOG_LEVEL", "loud", "must be one of DEBUG, INFO, WARNING, ERROR"),
    ],
)
def test_a_mistake_is_told_in_a_sentence(name: str, value: str, said: str) -> None:
    found = problems(**{name: value})

    assert list(found) == [f"MAINSPRING_{name}"]
    assert said in found[f"MAINSPRING_{name}"]


@pytest.mark.parametrize(
    "url",
    [
        "secret",
        "mysql://x:secret@host/y",
        "postgresql://x:secret@host:port/y",
        "postgresql://x:secret@host:99999/y",
        "postgresql://x:a#secret@host:1/y",
        "postgresql://x:a/secret@host:1/y",
        "postgresql://x:a?secret@host:1/y",
        "postgresql://x:secret@[::1/y",
        "postgresql://x:secret@host/y?sslmode=perhaps",
    ],
)
def test_an_address_of_postgres_that_cannot_be_read_is_told_without_its_password(url: str) -> None:
    found = problems(DATABASE_URL=url)

    assert list(found) == ["MAINSPRING_DATABASE_URL"]
    assert "secret" not in str(found)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://postgres:5432/y?user=x&password=secret",
        "postgres://x:se%23cret@host/y?sslmode=verify-full",
        "postgresql://x:secret@[::1]:1,host:2/y",
        "postgresql://x:secret@host/y?password=",
        "postgresql:///y?host=/run/postgresql",
    ],
)
def test_an_address_of_postgres_that_can_be_read_is_taken(url: str) -> None:
    assert load(Example, {**GOOD, "MAINSPRING_DATABASE_URL": url}).database_url == url


@pytest.mark.parametrize(
    "url",
    [
        "http://host:4222",
        "nats://x:secret@host:port",
        "nats://",
        ":",
        "nats://x:secret@one,",
        "nats://x:secret@one,nats://",
        "nats://x:secret@one,ws://two",
        "nats://x:secret@one,nats://y:secret@two",
    ],
)
def test_an_address_of_nats_that_cannot_be_read_is_told_without_its_password(url: str) -> None:
    found = problems(NATS_URL=url)

    assert list(found) == ["MAINSPRING_NATS_URL"]
    assert "secret" not in str(found)


@pytest.mark.parametrize(
    "url",
    [
        "nats://x:secret@host:4222",
        "tls://host",
        "host",
        "host:4222",
        "one,two:4222",
        "nats://x:secret@one:4222,two:4222",
        "nats://x:secret@one,nats://x:secret@two",
        "tls://one,tls://two",
        "wss://x:secret@one/path,two/path",
    ],
)
def test_an_address_of_nats_that_can_be_read_is_taken(url: str) -> None:
    assert load(Example, {**GOOD, "MAINSPRING_NATS_URL": url}).nats_url == url


@pytest.mark.parametrize("url", ["127.0.0.1:4318", "x", "ftp://host", "http://", "http://host:x"])
def test_a_collector_that_cannot_be_reached_by_http_is_told(url: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load(Example, {**GOOD, "OTEL_EXPORTER_OTLP_ENDPOINT": url})

    (problem,) = caught.value.problems
    assert problem.variable == "OTEL_EXPORTER_OTLP_ENDPOINT"


class Particular(Example, frozen=True, kw_only=True):
    word: str = ""

    def flaws(self) -> list[Problem]:
        return flaws_by(int, "word", self.word)


def test_what_a_service_says_of_its_own_values_is_told_as_all_else() -> None:
    with pytest.raises(SettingsError) as caught:
        load(Particular, {**GOOD, "MAINSPRING_WORD": "x"})

    assert [problem.variable for problem in caught.value.problems] == ["MAINSPRING_WORD"]


@pytest.mark.parametrize(("name", "value"), [("ENGINE_BIND", "0.0.0.0:9001"), ("API_HOST", "::")])
def test_a_bind_beyond_this_machine_is_refused_unless_asked_for(name: str, value: str) -> None:
    found = problems(**{name: value})

    assert "MAINSPRING_INSECURE_BIND=1" in found[f"MAINSPRING_{name}"]
    allowed = {**GOOD, f"MAINSPRING_{name}": value, "MAINSPRING_INSECURE_BIND": "1"}
    assert load(Example, allowed).insecure_bind


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("[::1]", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("10.0.0.1", False),
        ("example.com", False),
    ],
)
def test_loopback_is_told_without_looking_names_up(host: str, *, expected: bool) -> None:
    assert is_loopback(host) is expected


def test_addresses_compare_by_what_they_say() -> None:
    assert Address.parse("[::1]:80") == Address("[::1]", 80)
    assert Address("a", 1) != Bind("a", 1)
    assert len({Address("a", 1), Address("a", 1)}) == 1
    assert repr(Bind("a", 1)) == "Bind('a:1')"


def test_a_host_alone_may_stand_in_brackets_as_it_does_before_a_port() -> None:
    assert load(Example, {**GOOD, "MAINSPRING_API_HOST": "[::1]"}).api_host == "::1"
