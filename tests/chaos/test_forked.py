"""What a nursery forks is a process as any."""

import os
import signal
import sys
from pathlib import Path

import pytest

from mainspring_local.program import Program
from tests.chaos.forked import Nursery

TELLING = """
import os, sys
print(os.environ["WHERE"], *sys.argv[1:])
sys.exit(3)
"""


async def healthy() -> bool:
    return True


def program(*argv: str, **environment: str) -> Program:
    return Program(
        name="one", argv=(sys.executable, "-m", *argv), environment=environment, healthy=healthy
    )


@pytest.mark.timeout(120)
async def test_it_has_its_arguments_environment_log_and_end(tmp_path: Path) -> None:
    (tmp_path / "telling.py").write_text(TELLING)
    nursery = Nursery(os.environ | {"PYTHONPATH": str(tmp_path)})
    try:
        telling = await nursery.spawn(program("telling", "this", WHERE="here"))
        serving = await nursery.spawn(program("http.server", "--bind", "127.0.0.1", "0"))
        assert telling.stdout is not None
        assert serving.stdout is not None
        told, status = await telling.stdout.read(), await telling.wait()
        first = await serving.stdout.readline()

        os.kill(serving.pid, signal.SIGKILL)

        assert (told, status) == (b"here this\n", 3)
        assert first.startswith(b"Serving HTTP on 127.0.0.1")
        assert (await serving.stdout.read(), await serving.wait()) == (b"", -signal.SIGKILL)
        assert telling.pid != serving.pid
    finally:
        await nursery.close()
