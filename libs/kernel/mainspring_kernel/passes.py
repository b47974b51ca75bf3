"""Loops of a service: a pass that fails costs that pass alone, not the service and all its work."""

import logging
from collections.abc import Generator
from contextlib import contextmanager

from mainspring_kernel.errors import DeadlineExceeded, Unavailable


@contextmanager
def one_pass(log: logging.Logger, what: str) -> Generator[None]:
    """While others are away the loop waits for its next turn. A fault of ours is logged whole."""
    try:
        yield
    except (Unavailable, DeadlineExceeded) as error:
        log.warning("%s waits: %s", what, error)
    except Exception:
        log.exception("%s failed", what)
