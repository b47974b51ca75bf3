import socket
from pathlib import Path

import pytest

from mainspring_local import home, sockets
from mainspring_local.errors import StartProblem
from mainspring_local.home import Home


@pytest.fixture
def own(tmp_path: Path) -> Home:
    made = Home(tmp_path / "home")
    made.prepare()
    return made


def test_a_second_owner_is_refused_and_told_what_to_do(own: Home) -> None:
    lock, _ = home.take_lock(own)

    with pytest.raises(StartProblem, match=r"another stack \(pid \d+\).*task down"):
        home.take_lock(own)

    lock.release()


def test_a_released_lock_is_clean(own: Home) -> None:
    lock, _ = home.take_lock(own)
    lock.release()

    again, crashed = home.take_lock(own)

    assert not crashed
    again.release()


def test_a_lock_its_owner_never_released_tells_of_a_crash(own: Home) -> None:
    own.lock.write_text('{"name":"mainspring","pid":1,"started":"before"}')

    lock, crashed = home.take_lock(own)

    assert crashed
    lock.release()


def test_passwords_are_made_once_and_private(own: Home) -> None:
    first = home.passwords(own, ("api", "engine"))
    second = home.passwords(own, ("api", "engine", "log"))

    assert {name: second[name] for name in first} == first
    assert len(set(second.values())) == len(second)
    assert own.passwords.stat().st_mode & 0o777 == 0o600


def test_a_home_that_is_a_file_is_one_clear_line(tmp_path: Path) -> None:
    taken = tmp_path / "file"
    taken.write_text("here already")

    with pytest.raises(StartProblem, match=r"cannot write to .*MAINSPRING_HOME"):
        Home(taken).prepare()


def test_too_little_disk_is_one_clear_line(own: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(home, "DISK_FREE_BYTES_MIN", 1 << 60)

    with pytest.raises(StartProblem, match="make room"):
        own.prepare()


def test_ports_stay_the_same_while_they_are_free(own: Home) -> None:
    first = sockets.assign(own)
    second = sockets.assign(own)

    assert first == second
    assert len(set(first.values())) == len(sockets.NAMES)


def test_a_port_taken_meanwhile_is_replaced(own: Home) -> None:
    first = sockets.assign(own)
    with socket.create_server((sockets.LOOPBACK, first["nats"])):
        second = sockets.assign(own)

    assert second["nats"] != first["nats"]
    assert second["postgres"] == first["postgres"]


def test_the_engine_gets_the_port_it_wants_though_connections_to_its_last_owner_linger(
    own: Home,
) -> None:
    with socket.create_server((sockets.LOOPBACK, 0)) as last:
        wanted = sockets.port_of(last)
        client = socket.create_connection((sockets.LOOPBACK, wanted))
        accepted, _ = last.accept()
    with client:
        accepted.close()  # who closes first keeps the port's end of it for a minute

    assert sockets.assign(own, engine=wanted)["engine"] == wanted


def test_an_engine_port_that_somebody_has_is_replaced(own: Home) -> None:
    with socket.create_server((sockets.LOOPBACK, 0)) as taken:
        wanted = sockets.port_of(taken)

        assert sockets.assign(own, engine=wanted)["engine"] != wanted


def test_ports_are_not_of_those_that_connections_get_by_chance(own: Home) -> None:
    assert all(port in sockets.DRAWN for port in sockets.assign(own).values())


def test_a_taken_api_port_names_the_setting(own: Home) -> None:
    with socket.create_server((sockets.LOOPBACK, 0)) as taken:
        port = sockets.port_of(taken)

        with pytest.raises(StartProblem, match=rf"port {port} .* taken.*MAINSPRING_API_PORT"):
            sockets.require_free(sockets.LOOPBACK, port)
