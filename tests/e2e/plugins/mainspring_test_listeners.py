"""An installed package's event listeners: one fails, one never returns, one takes notes."""

import os
import threading
from collections.abc import Sequence
from pathlib import Path

from mainspring_runtime.listeners import CommittedEvent
from mainspring_runtime.metrics import Metrics

FOLDER = "MAINSPRING_LISTENED"


class Failing:
    name = "failing"
    event_types = None

    def __init__(self, metrics: Metrics) -> None:
        del metrics

    def on_event(self, batch: Sequence[CommittedEvent]) -> None:
        note("failing", [f"{len(batch)}"])
        message = "this listener always fails"
        raise RuntimeError(message)


class Stuck(Failing):
    name = "stuck"

    def on_event(self, batch: Sequence[CommittedEvent]) -> None:
        note("stuck", [f"{len(batch)}"])
        threading.Event().wait()


class Noting(Failing):
    name = "noting"
    event_types = None

    def on_event(self, batch: Sequence[CommittedEvent]) -> None:
        note("noting", [f"{one.session_id.hex} {one.event.seq} {one.event.type}" for one in batch])


def note(name: str, lines: list[str]) -> None:
    """In a file per process, so that nobody writes between two lines of another."""
    path = Path(os.environ[FOLDER]) / f"listener-{name}-{os.getpid()}.txt"
    with path.open("a") as file:
        file.write("".join(f"{line}\n" for line in lines))
