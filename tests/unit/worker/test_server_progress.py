"""What a server says of its progress becomes lines, at a bounded pace and in a bounded number."""

import asyncio

import pytest

from mainspring_worker.adapters.mcp import telling
from mainspring_worker.adapters.mcp.limits import ERROR_CHARS_MAX
from mainspring_worker.adapters.mcp.telling import line


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ((1.0, None, None), "1"),
        ((2.5, 10.0, None), "2.5 of 10"),
        ((2.0, 10.0, "reading"), "reading"),
        ((2.0, 10.0, "x" * 10_000), "x" * ERROR_CHARS_MAX),
    ],
)
def test_a_line_is_the_servers_own_words_or_how_far_it_is(
    said: tuple[float, float | None, str | None], told: str
) -> None:
    assert line(*said) == told


async def test_nobody_listens_where_nobody_asked() -> None:
    async with telling.telling(None) as heard:
        assert heard is None


async def test_of_lines_that_come_fast_the_newest_counts() -> None:
    lines: list[str] = []
    first = asyncio.Event()

    async def told(text: str) -> None:
        lines.append(text)
        first.set()

    async with telling.telling(told) as heard:
        assert heard is not None
        await heard(0, 9, None)
        await first.wait()
        for done in range(1, 10):
            await heard(done, 9, None)

    assert lines == ["0 of 9", "9 of 9"]


async def test_a_server_that_never_stops_talking_is_heard_so_often(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(telling, "PROGRESS_LINES_MAX", 2)
    monkeypatch.setattr(telling, "PROGRESS_GAP_S", 0)
    lines: list[str] = []
    heard_one = asyncio.Event()

    async def told(text: str) -> None:
        lines.append(text)
        heard_one.set()

    async with telling.telling(told) as heard:
        assert heard is not None
        for done in range(2):
            heard_one.clear()
            await heard(done, None, None)
            await heard_one.wait()
        for done in range(2, 20):
            await heard(done, None, None)

    assert lines == ["0", "1", "19"]


async def test_a_call_that_fails_tells_nothing_more() -> None:
    lines: list[str] = []

    async def told(text: str) -> None:
        lines.append(text)

    async def failing() -> None:
        async with telling.telling(told) as heard:
            assert heard is not None
            await heard(1, None, None)
            raise TimeoutError

    with pytest.raises(TimeoutError):
        await failing()
    assert lines == []


async def test_a_line_on_its_way_arrives_though_the_call_is_over() -> None:
    lines: list[str] = []
    under_way, may_arrive = asyncio.Event(), asyncio.Event()

    async def told(text: str) -> None:
        under_way.set()
        await may_arrive.wait()
        lines.append(text)

    async def called() -> None:
        async with telling.telling(told) as heard:
            assert heard is not None
            await heard(9, 9, None)
            await under_way.wait()

    calling = asyncio.create_task(called())
    await under_way.wait()
    await asyncio.sleep(0)
    may_arrive.set()
    await calling

    assert lines == ["9 of 9"]
