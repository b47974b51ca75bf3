import pytest

from mainspring_api.adapters.http.edge import problem_of
from mainspring_kernel.errors import NotWaitingForToolResults

OF_THESE = "The session is not waiting for tool results of these calls"


@pytest.mark.parametrize(
    ("detail", "told"),
    [
        (OF_THESE, OF_THESE),
        ("the turn is over", "The session is not waiting for tool results"),
    ],
)
def test_results_nobody_waits_for_keep_the_phrase_and_what_else_is_known(
    detail: str, told: str
) -> None:
    problem = problem_of(NotWaitingForToolResults(detail))

    assert (problem.detail, problem.error.message) == (told, told)
