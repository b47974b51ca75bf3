"""With `up` each service has a door of its own for scrapers."""

from mainspring_local.stack import SERVICES, metrics_bind


def test_services_take_the_ports_from_the_first_on() -> None:
    doors = [metrics_bind("127.0.0.1:9100", name) for name in SERVICES]

    assert doors == [f"127.0.0.1:{port}" for port in range(9100, 9105)]


def test_what_is_no_address_is_left_for_the_service_to_refuse() -> None:
    assert metrics_bind("nowhere", "engine") == "nowhere"
