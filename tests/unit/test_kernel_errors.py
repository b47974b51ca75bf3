import re

import pytest

from mainspring_kernel import errors
from mainspring_kernel.errors import LeaseLost, MainspringError, Unavailable, rebuild, registry


def test_every_code_is_snake_case_with_a_status_a_title_and_a_docstring() -> None:
    for code, cls in registry().items():
        assert re.fullmatch(r"[a-z]+(_[a-z]+)*", code), code
        assert 400 <= cls.status <= 599, code
        assert cls.title, code
        assert cls.__doc__, code


def test_an_error_crosses_a_process_with_class_detail_and_data() -> None:
    raised = LeaseLost("task_1", 3)

    arrived = rebuild(raised.code, raised.detail, data=raised.data)

    assert type(arrived) is LeaseLost
    assert arrived.detail == raised.detail
    assert arrived.data == {"task": "task_1", "fence": 3}


def test_an_unknown_code_arrives_as_the_base_class() -> None:
    arrived = rebuild("from_a_newer_version", "what")

    assert type(arrived) is MainspringError
    assert arrived.status == 500


def test_a_code_cannot_be_taken_twice() -> None:
    with pytest.raises(TypeError, match="is taken by"):
        type("Other", (MainspringError,), {"code": "not_found"})


def test_the_sdks_phrase_is_in_the_message_of_untimely_tool_results() -> None:
    assert "not waiting for tool results" in str(errors.NotWaitingForToolResults())


def test_unavailable_says_when_to_come_again() -> None:
    assert Unavailable().retry_after_s == 1.0
    assert rebuild("unavailable", "x", retry_after_s=4).retry_after_s == 4
