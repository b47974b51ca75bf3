"""The processes that compute `cpu_bound` steps."""

import multiprocessing
import os
import threading
from concurrent.futures import ProcessPoolExecutor


def pool(processes: int) -> ProcessPoolExecutor:
    """Not forked: a fork of a process with threads may hang."""
    return ProcessPoolExecutor(
        processes,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_end_with_the_worker,
    )


def _end_with_the_worker() -> None:
    """A worker that is killed cannot stop its processes, and they would wait for work for ever."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, name="mainspring-watch", daemon=True).start()
