"""docker-compose.yml cannot run everywhere; what it tells the services is loaded here."""

import re
from typing import cast

import msgspec
import pytest
import yaml

from mainspring_api.main import BASE_URL_VARIABLES, KEY_VARIABLES
from mainspring_runtime.settings import Address, SettingsError, load, variable_of
from tests.tidy import tree
from tests.tidy.test_settings_told import SERVICES

FILE = "docker-compose.yml"
PROVIDERS = (*KEY_VARIABLES.values(), *BASE_URL_VARIABLES.values())
ASKED = re.compile(r"\$\{(\w+)(?::\?|:-(\w*))\}")


def filled(value: str) -> str:
    """As compose fills it, every password and key being set, and long enough."""
    return ASKED.sub(lambda match: str(match[2] or f"p{match[1].lower():x<40}"), value)


def composed(text: str) -> dict[str, dict[str, str]]:
    """Service → its environment."""
    document = cast("dict[str, dict[str, dict[str, object]]]", yaml.safe_load(text))
    return {
        name: {key: filled(value) for key, value in environment.items()}
        for name, service in document["services"].items()
        if (environment := cast("dict[str, str]", service.get("environment", {})))
    }


def complaints(text: str) -> list[str]:
    environments = composed(text)
    known = {
        variable_of(field.name)
        for settings in SERVICES.values()
        for field in msgspec.structs.fields(settings)
    } | {name for names in PROVIDERS for name in names}
    found: list[str] = []
    for service, settings in SERVICES.items():
        environment = environments.get(service, {})
        found += [f"{service}: nobody reads {name}" for name in set(environment) - known]
        try:
            load(settings, environment)
        except SettingsError as error:
            found.append(f"{service}: {error}")
    return found + unmet(environments) + withheld(environments.get("api", {}))


def withheld(environment: dict[str, str]) -> list[str]:
    """Keys and addresses of model providers that the api would never hear of."""
    return [" or ".join(names) for names in PROVIDERS if not environment.keys() & set(names)]


def unmet(environments: dict[str, dict[str, str]]) -> list[str]:
    """Addresses that no service of the file listens on."""
    served = {
        f"{service}:{Address.parse(value).port}"
        for service, environment in environments.items()
        for name, value in environment.items()
        if name.endswith("_BIND") and ":" in value
    }
    return sorted(
        {
            f"{name}={value}: nobody listens there"
            for environment in environments.values()
            for name, value in environment.items()
            if name.endswith("_ADDR") and value not in served
        }
    )


def test_every_service_takes_what_the_file_tells_it() -> None:
    assert not complaints(tree.text(FILE))


def test_the_collector_takes_all_that_services_send() -> None:
    collector = yaml.safe_load(tree.text("infra/otel/collector.yml"))

    assert {"metrics", "traces"} <= collector["service"]["pipelines"].keys()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("MAINSPRING_ENGINE_BIND: 0.0.0.0:9001", "MAINSPRING_ENGINE_BIND: 0.0.0.0:9009"),
        ("MAINSPRING_ENGINE_BIND: 0.0.0.0:9001", "MAINSPRING_ENGINE_BYND: 0.0.0.0:9001"),
        ('MAINSPRING_INSECURE_BIND: "1"', 'MAINSPRING_INSECURE_BIND: "0"'),
        ("      OPENAI_API_KEY: ${OPENAI_API_KEY:-}", ""),
        ("  MAINSPRING_NATS_URL:", "  MAINSPRING_NATS:"),
    ],
)
def test_a_wrong_word_in_the_file_is_found(old: str, new: str) -> None:
    text = tree.text(FILE)
    assert old in text

    assert complaints(text.replace(old, new))
