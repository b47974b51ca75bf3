"""Settings that an api could not go by end its start, each in a sentence."""

import pytest

from mainspring_api.main import ApiSettings
from mainspring_runtime.settings import SettingsError, load

GOOD = {
    "MAINSPRING_DATABASE_URL": "postgresql://x:y@127.0.0.1/z",
    "MAINSPRING_NATS_URL": "nats://127.0.0.1:4222",
    "MAINSPRING_ENGINE_ADDR": "127.0.0.1:9001",
    "MAINSPRING_EVENTSTORE_ADDR": "127.0.0.1:9003",
    "MAINSPRING_SCHEDULER_ADDR": "127.0.0.1:9004",
}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MAINSPRING_CAPABILITIES", "nowhere:IT"),
        ("MAINSPRING_CHANNEL_ORIGINS", "app.example.org"),
        ("MAINSPRING_SECRET_KEYS", "short"),
    ],
)
def test_what_an_api_cannot_go_by_is_told_with_its_variable(name: str, value: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load(ApiSettings, {**GOOD, name: value})

    (problem,) = caught.value.problems
    assert problem.variable == name
    assert name not in problem.reason
