"""The SDK's reading of an event stream: any cut into pieces, any text inside."""

import asyncio
from collections.abc import AsyncIterator

import msgspec
from hypothesis import example, given
from hypothesis import strategies as st

from mainspring.reading import frames_of, lines_of
from tests.property.cutting import pieces

events = st.lists(
    st.fixed_dictionaries({"id": st.uuids().map(lambda id_: id_.hex), "text": st.text()}),
    max_size=4,
)
cuts = st.lists(st.integers(1, 7), min_size=1, max_size=8)


async def read(chunks: list[bytes]) -> list[dict[str, object]]:
    async def arriving() -> AsyncIterator[bytes]:
        for chunk in chunks:
            yield chunk

    return [event async for event in frames_of(lines_of(arriving()))]


@given(events, cuts, st.sampled_from(["\n", "\r\n"]))
@example([{"id": "1", "text": "a\u2028b\u2029c\x85d\x0be\x1cf"}], [3], "\n")
def test_events_come_out_as_they_went_in(
    sent: list[dict[str, str]], sizes: list[int], end: str
) -> None:
    frames = (
        f"id: {event['id']}{end}event: x{end}data: {msgspec.json.encode(event).decode()}{end}{end}"
        for event in sent
    )
    stream = f": a comment{end}{end}retry: 5{end}{end}{''.join(frames)}".encode()

    assert asyncio.run(read(pieces(stream, sizes))) == sent


@given(st.binary(max_size=300), cuts)
def test_any_bytes_are_lines(stream: bytes, sizes: list[int]) -> None:
    async def lines() -> list[str]:
        async def arriving() -> AsyncIterator[bytes]:
            for chunk in pieces(stream, sizes):
                yield chunk

        return [line async for line in lines_of(arriving())]

    found = asyncio.run(lines())

    assert len(found) == stream.count(b"\n")
    assert all("\n" not in line for line in found)
