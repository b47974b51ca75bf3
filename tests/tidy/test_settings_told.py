"""Every variable that a service reads stands in the operators' table, with its default."""

import re

import msgspec
import pytest

from mainspring_api.main import ApiSettings
from mainspring_engine.adapters.settings import EngineSettings
from mainspring_eventstore.main import EventStoreSettings
from mainspring_runtime.settings import ProcessSettings, variable_of
from mainspring_scheduler.main import Settings as SchedulerSettings
from mainspring_worker.main import Settings as WorkerSettings
from tests.tidy import tree

SERVICES = {
    "api": ApiSettings,
    "engine": EngineSettings,
    "eventstore": EventStoreSettings,
    "scheduler": SchedulerSettings,
    "worker": WorkerSettings,
}
IN_WORDS = {
    "api_hosts": "none",
    "capabilities": "none",
    "channel_origins": "none",
    "insecure_bind": "off",
    "metrics_bind": "nowhere",
    "worker_mcp_commands": "none",
    "worker_mcp_loopback": "off",
    "otlp_endpoint": "nowhere",
    "secret_keys": "no secrets are taken",
    "semconv_opt_in": "the latest names",
    "trace_dir": "none are written",
    "worker_name": "host name and part of its id",
}
"""Defaults that are nothing one could type."""


def told(text: str) -> dict[str, tuple[str, str]]:
    """Variable → who reads it, and its default as the table has it."""
    found: dict[str, tuple[str, str]] = {}
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        names = re.findall(r"`([A-Z][A-Z_]+)`", cells[0])
        if names and len(cells) == 3:
            defaults = cells[2].split(", ") if len(names) > 1 else [cells[2]]
            found |= {
                name: (cells[1], default) for name, default in zip(names, defaults, strict=False)
            }
    return found


def complaints(service: str, settings: type[ProcessSettings], text: str) -> list[str]:
    table = told(text)
    found: list[str] = []
    for field in msgspec.structs.fields(settings):
        variable = variable_of(field.name)
        readers, default = table.get(variable, ("", ""))
        expected = "must be set" if field.required else IN_WORDS.get(field.name, str(field.default))
        if default.strip("`") != expected:
            found.append(f"{variable}: {default!r} is told, {expected!r} is true")
        if service not in readers and not readers.startswith("all"):
            found.append(f"{variable}: {service} reads it too")
    return found


@pytest.mark.parametrize("service", SERVICES)
def test_operators_are_told_every_setting_and_its_default(service: str) -> None:
    found = complaints(service, SERVICES[service], tree.text("docs/operations.md"))

    assert not found, "\n".join(found)


def test_a_setting_that_is_not_told_or_told_wrong_is_found() -> None:
    text = tree.text("docs/operations.md")

    assert complaints("engine", EngineSettings, text.replace("9001`", "9009`"))
    assert complaints("engine", EngineSettings, text.replace("`MAINSPRING_NATS_URL`", ""))
