"""Every flow goes over a whole stack: as real processes (`up`) and in one process (`dev`)."""

import os
import signal
from collections.abc import AsyncIterator, Iterator
from typing import cast

import pytest
from everruns_sdk import Everruns

from mainspring_testkit.servers import free_port
from tests.e2e.flows import surface
from tests.e2e.flows.wire import Wire
from tests.e2e.stacks import READY, Stack

GIVEN = os.environ.get("MAINSPRING_E2E_URL")
"""A stack that runs already; then none is started."""
# `up` shares its worker with all tests that start stacks, so that at most two live at once.
KINDS = (
    pytest.param("up", marks=pytest.mark.xdist_group("stack")),
    pytest.param("dev", marks=pytest.mark.xdist_group("dev")),
)
KEYS = ("OPENAI", "ANTHROPIC", "GEMINI", "GOOGLE")


# Of the package, so that it ends with the last flow and not with the last test of the session.
@pytest.fixture(scope="package", params=[pytest.param("given")] if GIVEN else KINDS)
def base_url(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    if GIVEN:
        yield GIVEN
        return
    kind = cast("str", request.param)
    port = free_port()
    # Without keys, whatever the machine has: the flows are about the simulator.
    keys = {f"{prefix}{name}_API_KEY": "" for name in KEYS for prefix in ("", "DEFAULT_")}
    # An MCP server of a test is on this machine.
    keys["MAINSPRING_WORKER_MCP_LOOPBACK"] = "1"
    stack = Stack(kind, home=tmp_path_factory.mktemp(kind), **keys, MAINSPRING_API_PORT=str(port))
    try:
        stack.wait_line(READY)
        yield f"http://127.0.0.1:{port}/api"
        stack.send(signal.SIGTERM)
        assert stack.wait() == 0
        crashed = [line for line in stack.lines if "Traceback" in line or " ERROR " in line]
        assert crashed == []
    finally:
        stack.end()


@pytest.fixture(autouse=True)
def answered(request: pytest.FixtureRequest) -> Iterator[None]:
    """A test that says what it proves of the SDK fails where that did not answer in it."""
    node = cast("pytest.Item", request.node)
    mark = node.get_closest_marker("proves")
    if mark is None:
        yield
        return
    with pytest.MonkeyPatch.context() as patch:
        seen = surface.listen(patch)
        yield
    silent = set(cast("tuple[str, ...]", mark.args)) - seen
    assert not silent, f"not answered: {sorted(silent)}"


@pytest.fixture
async def client(base_url: str) -> AsyncIterator[Everruns]:
    async with Everruns(api_key="fake-key", base_url=base_url) as client:
        yield client


@pytest.fixture
async def wire(base_url: str) -> AsyncIterator[Wire]:
    async with Wire(f"{base_url}/v1") as wire:
        yield wire
