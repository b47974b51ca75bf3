"""`step_info`: what a step can ask about itself."""

from mainspring.belonging import StepInfo
from mainspring.errors import NotInStep
from mainspring.heartbeats import present_pulse


def step_info() -> StepInfo:
    """Of the step whose code calls it, also from its thread or its process.

    Raises NotInStep elsewhere, as where a step is called as a plain function.
    """
    pulse = present_pulse()
    found = None if pulse is None else pulse.info
    if found is None:
        raise NotInStep
    return found
