"""How many files a process allows itself, by what the machine allows."""

import resource

import pytest

from mainspring_api.domain.limits import SSE_STREAMS_MAX
from mainspring_api.main import streams_max
from mainspring_kernel.limits import OPEN_FILES_MAX
from mainspring_runtime.open_files import open_files

ANY = resource.RLIM_INFINITY


class Machine:
    def __init__(self, monkeypatch: pytest.MonkeyPatch, soft: int, hard: int) -> None:
        self.limits = (soft, hard)
        monkeypatch.setattr(resource, "getrlimit", self._get)
        monkeypatch.setattr(resource, "setrlimit", self._set)

    def _get(self, _: int) -> tuple[int, int]:
        return self.limits

    def _set(self, _: int, limits: tuple[int, int]) -> None:
        self.limits = limits


@pytest.mark.parametrize(
    ("soft", "hard", "allowed", "then"),
    [
        (1024, 20_000, 20_000, 20_000),
        (1024, 1_000_000, OPEN_FILES_MAX, OPEN_FILES_MAX),
        (1024, ANY, OPEN_FILES_MAX, OPEN_FILES_MAX),
        (1024, 1024, 1024, 1024),
        (100_000, 1_000_000, 100_000, 100_000),
        (ANY, ANY, OPEN_FILES_MAX, ANY),
    ],
)
def test_it_may_open_what_the_machine_allows_and_never_less_than_before(
    monkeypatch: pytest.MonkeyPatch, soft: int, hard: int, allowed: int, then: int
) -> None:
    machine = Machine(monkeypatch, soft, hard)

    assert open_files() == allowed
    assert machine.limits == (then, hard)


@pytest.mark.parametrize(("hard", "streams"), [(4096, 2048), (1_000_000, SSE_STREAMS_MAX)])
def test_streams_leave_half_of_the_files_to_other_calls(
    monkeypatch: pytest.MonkeyPatch, hard: int, streams: int
) -> None:
    Machine(monkeypatch, 1024, hard)

    assert streams_max() == streams
