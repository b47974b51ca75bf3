"""The bounds of queries of workflows, each with its reason, as in limits.py."""

from typing import Final

QUERY_S: Final = 10.0
"""How long a query waits for its worker, which may have a long history to go through."""
QUERIES_AT_ONCE_MAX: Final = 64
"""Queries under way in one engine: each replays a workflow at a worker beside its tasks."""
QUERY_ARGUMENTS_BYTES_MAX: Final = 4 * 1024
"""Of a query's arguments: they travel in a URL."""

QUERY_ENGINES_MAX: Final = 3
"""Other engines that are asked one after the other, where none of the workers here knows the code.
"""
QUERY_HEARD_S: Final = 3.0
"""How long another engine has to say that it was asked: one that died is on record for some time.
"""
QUERY_AGAIN_S: Final = 1.0
"""When to ask again where no worker answered: one that was restarted is back by then."""
