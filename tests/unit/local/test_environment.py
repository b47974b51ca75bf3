import pytest

from mainspring_local import environment
from mainspring_local.console import readable
from mainspring_local.errors import BadEnvironment


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_loopback_is_accepted(host: str) -> None:
    settings = environment.read({"MAINSPRING_API_HOST": host})

    assert settings.api_host == host


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "example.org"])
def test_other_addresses_are_refused(host: str) -> None:
    with pytest.raises(BadEnvironment, match="MAINSPRING_INSECURE_BIND=1"):
        environment.read({"MAINSPRING_API_HOST": host})


def test_other_addresses_can_be_accepted_explicitly() -> None:
    settings = environment.read({"MAINSPRING_API_HOST": "0.0.0.0", "MAINSPRING_INSECURE_BIND": "1"})

    assert settings.api_host == "0.0.0.0"


@pytest.mark.parametrize("port", ["0", "65536", "-1", "nine", "\uff19\uff10", "1e3"])
def test_a_bad_port_is_named(port: str) -> None:
    with pytest.raises(BadEnvironment, match=f"MAINSPRING_API_PORT={port}"):
        environment.read({"MAINSPRING_API_PORT": port})


def test_every_bad_variable_gets_its_own_line() -> None:
    with pytest.raises(BadEnvironment) as caught:
        environment.read({"MAINSPRING_API_PORT": "x", "MAINSPRING_API_HOST": "8.8.8.8"})

    assert len(str(caught.value).splitlines()) == 2


def test_a_json_log_line_is_made_readable() -> None:
    line = '{"ts":"2026-11-22T10:00:01.5Z","level":"info","message":"ready","port":9001}'

    assert readable(line) == "10:00:01 INFO ready port=9001"


@pytest.mark.parametrize("line", ["plain words", "{broken", "[1, 2]"])
def test_other_lines_stay_as_they_are(line: str) -> None:
    assert readable(line) == line
