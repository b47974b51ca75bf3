"""How the edge tells of what went wrong."""

import logging
from typing import TYPE_CHECKING, cast

import pytest
from litestar import Request

from mainspring_api.adapters.http.edge import HttpRequest, handle_error
from mainspring_kernel.errors import DeadlineExceeded, MainspringError, Unavailable

if TYPE_CHECKING:
    from litestar.types import HTTPScope


@pytest.mark.parametrize(
    ("error", "status", "level"),
    [
        (Unavailable("no engine"), 503, logging.WARNING),
        (DeadlineExceeded("a frozen engine"), 504, logging.WARNING),
        (MainspringError("a mistake of ours"), 500, logging.ERROR),
    ],
)
def test_what_is_only_away_is_no_failure_of_ours(
    caplog: pytest.LogCaptureFixture, error: MainspringError, status: int, level: int
) -> None:
    scope = cast("object", {"type": "http", "method": "POST", "path": "/", "raw_path": b"/"})
    request = cast("HttpRequest", Request(cast("HTTPScope", scope)))

    answer = handle_error(request, error)

    assert answer.status_code == status
    assert [record.levelno for record in caplog.records] == [level]
