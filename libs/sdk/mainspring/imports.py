"""A program that is imported by a process which it started itself."""

import multiprocessing
from typing import Final

_GUARD: Final = (
    "a process of this program's own worker imports the program, which would start it over:"
    ' begin it under  if __name__ == "__main__":'
)


def refuse_within_an_import() -> None:
    """Raises RuntimeError in such a process, until it has imported the program."""
    # The attribute by which multiprocessing itself knows it; there is no public one.
    if getattr(multiprocessing.current_process(), "_inheriting", False):
        raise RuntimeError(_GUARD)
