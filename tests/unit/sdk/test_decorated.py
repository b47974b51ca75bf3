"""What is decorated stays what it was for those who look at code: help, doctest, type hints."""

import sys
from doctest import DocTestFinder
from typing import get_type_hints

import pytest

from mainspring import Step, Tool, Workflow, do, step, tool, workflow

Decorated = Step[..., object] | Workflow[..., object] | Tool[..., object]


@step
async def charge(order: str) -> int:
    """Charges an order.

    >>> charge.name
    'charge'
    """
    return len(order)


@step(timeout_s=5, name="billing.refund")
def refund(order: str) -> int:
    """Gives it back."""
    return len(order)


@workflow
async def checkout(order: str) -> int:
    """Charges it, and that is all."""
    return await charge(order)


@workflow(driver="machine")
def declared(order: str) -> int:
    """Has no code."""
    return do(charge, order)


@tool(effect="pure")
def look_up(order: str) -> int:
    """Looks an order up.

    >>> look_up("A-17")
    4
    """
    return len(order)


@pytest.mark.parametrize("decorated", [charge, refund, checkout, declared, look_up])
def test_what_is_decorated_says_where_it_is_from_and_what_it_takes(decorated: Decorated) -> None:
    function = decorated.function

    assert decorated.__module__ == __name__
    assert decorated.__name__ == function.__name__
    assert get_type_hints(decorated) == {"order": str, "return": int}
    assert decorated.__doc__ == function.__doc__


def test_examples_in_their_docstrings_are_found() -> None:
    found = DocTestFinder(exclude_empty=True).find(sys.modules[__name__])

    examples = {test.name.rpartition(".")[2] for test in found if test.examples}
    assert examples == {"charge", "look_up"}
