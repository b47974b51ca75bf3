"""How many files a process may have open: each connection is one."""

import resource

from mainspring_kernel.limits import OPEN_FILES_MAX


def open_files() -> int:
    """What the process may have open from now on.

    It allows itself what the machine allows, up to `OPEN_FILES_MAX`: shells and service managers
    start one with 1,024, and each client of a stream and each worker holds a connection.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    allowed = min(_counted(hard), OPEN_FILES_MAX)
    if _counted(soft) >= allowed:
        return _counted(soft)
    resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
    return allowed


def _counted(limit: int) -> int:
    return OPEN_FILES_MAX if limit == resource.RLIM_INFINITY else limit
