import pytest

from mainspring_api.adapters.http.wire.conversation import (
    ToolResultBody,
    ToolResultsBody,
    client_results,
    message_results,
)
from mainspring_kernel.errors import ValidationFailed
from mainspring_schema.messages import ToolResultPart


def test_a_call_has_one_result_by_either_way_in() -> None:
    parts = [ToolResultPart(tool_call_id="c", result=n) for n in (1, 2)]
    bodies = [ToolResultBody(tool_call_id="c", result=n) for n in (1, 2)]

    with pytest.raises(ValidationFailed):
        message_results(parts)
    with pytest.raises(ValidationFailed):
        client_results(ToolResultsBody(tool_results=bodies))
    assert len(message_results(parts[:1])) == 1
