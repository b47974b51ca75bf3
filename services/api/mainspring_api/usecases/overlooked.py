"""Finds ends whose announcement was lost, by one read for all who wait.

An engine that dies right after a commit announces nothing, and the bus may lose an announcement.
"""

import logging

from mainspring_api.domain.limits import RESULT_RECHECK_S
from mainspring_api.ports.endings import Endings
from mainspring_api.ports.operator import OperatorDoor
from mainspring_kernel.clock import Clock
from mainspring_kernel.passes import one_pass
from mainspring_schema.open_work import OPEN_IDS_PER_QUESTION_MAX, FindOpen

_log = logging.getLogger(__name__)


async def run(endings: Endings, operator: OperatorDoor, clock: Clock) -> None:
    """Until cancelled. Asks nothing while nobody waits."""
    while True:
        await clock.sleep(RESULT_RECHECK_S)
        with one_pass(_log, "a look for ends whose news is lost"):
            await look(endings, operator)


async def look(endings: Endings, operator: OperatorDoor) -> None:
    """Tells of all that is awaited and not open. Raises Unavailable."""
    awaited = endings.awaited()
    for at in range(0, len(awaited), OPEN_IDS_PER_QUESTION_MAX):
        asked = awaited[at : at + OPEN_IDS_PER_QUESTION_MAX]
        found = await operator.inspect(FindOpen(ids=asked))
        for id_ in set(asked).difference(found.ids):
            endings.overlooked(id_)
