"""Which records of a workflow are no longer promised to anybody. Pure.

Records are what a go, a query and a fork read. The workflow itself, its result and its events stay.
"""

from typing import Final

from msgspec import Struct

from mainspring_engine.domain.rows import Outcome
from mainspring_engine.domain.workflow.state import WorkflowState
from mainspring_schema.workflows import prefix_of

_DAY_MS: Final = 24 * 3600 * 1000
BEHIND_ALL: Final = "~"
"""As text every place stands before it."""


class Keep(Struct, frozen=True):
    """How much is kept. 0 is all of it."""

    generations: int = 0
    """Of each workflow, the newest."""
    ended_days: float = 0.0
    """Of workflows that ended, from their end."""

    @property
    def all(self) -> bool:
        return not self.generations and not self.ended_days


def needless(state: WorkflowState, outcome: Outcome, keep: Keep, now_ms: int) -> str | None:
    """The bound before which no record is needed, as text of places; None where all of them are.

    A declared workflow keeps its own: they are few. So does one that ended under a version that did
    not write down when.
    """
    if state.course is not None:
        return None
    has_ended = outcome is not Outcome.RUNNING and bool(state.ended_ms)
    if has_ended and keep.ended_days and now_ms - state.ended_ms >= keep.ended_days * _DAY_MS:
        return BEHIND_ALL
    oldest = state.generation + 1 - keep.generations
    return prefix_of(oldest) if keep.generations and oldest > 0 else None
