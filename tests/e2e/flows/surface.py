"""What the published SDK can do, by reflection, and which of its methods answered in a test."""

import functools
import inspect
from collections.abc import Awaitable, Callable
from typing import cast

import pytest
from everruns_sdk import AgentClient, Everruns

ABOUT_ITSELF = {"close", "with_reason", "for_end_user"}
"""They change the client and ask the server nothing."""
served: set[str] = set()
"""What the tests of this package say they prove."""
Method = Callable[..., object]


def clients() -> dict[str, type]:
    """The name each client is reached by, and its class."""
    client = Everruns(api_key="none", base_url="http://127.0.0.1")
    found: dict[str, type] = {"channel": AgentClient}
    for name, member in inspect.getmembers(Everruns):
        if isinstance(member, property):
            found[name] = type(cast("object", getattr(client, name)))
    return found


def methods_of(kind: type) -> list[str]:
    return [
        name
        for name, _ in inspect.getmembers(kind, inspect.isfunction)
        if not name.startswith("_") and name not in ABOUT_ITSELF
    ]


def surface() -> frozenset[str]:
    """All public methods of all clients, such as `agents.create`."""
    return frozenset(f"{at}.{name}" for at, kind in clients().items() for name in methods_of(kind))


def proves(*methods: str) -> Callable[[Method], Method]:
    """The test fails where one of these did not answer in it."""
    served.update(methods)

    def mark(test: Method) -> Method:
        return pytest.mark.proves(*methods)(test)

    return mark


def listen(patch: pytest.MonkeyPatch) -> set[str]:
    """From now on the methods that answered are noted in the set."""
    answered: set[str] = set()
    for at, kind in clients().items():
        for name in methods_of(kind):
            method = cast("Method", getattr(kind, name))
            patch.setattr(kind, name, noted(method, f"{at}.{name}", answered))
    return answered


def noted(method: Method, name: str, answered: set[str]) -> Method:
    if not inspect.iscoroutinefunction(method):

        @functools.wraps(method)
        def begun(*args: object, **named: object) -> object:
            answered.add(name)
            return method(*args, **named)

        return begun

    @functools.wraps(method)
    async def asked(*args: object, **named: object) -> object:
        answer = await cast("Awaitable[object]", method(*args, **named))
        answered.add(name)
        return answer

    return asked
