import json
from collections.abc import AsyncIterator, Mapping
from urllib.parse import parse_qs, urlsplit

import pytest

from mainspring_local.client import PAGE_ITEMS, Api, Event, Identified, parse


async def lines_of(text: str) -> AsyncIterator[str]:
    for line in text.splitlines():
        yield line


async def events_of(text: str) -> list[Event]:
    return [event async for event in parse(lines_of(text))]


async def test_comments_and_stream_words_are_no_events() -> None:
    stream = (
        'event: connected\ndata: {"status":"connected"}\n\n'
        ": heartbeat\n\n"
        'event: disconnecting\ndata: {"reason":"connection_cycle","retry_ms":100}\n\n'
    )

    assert await events_of(stream) == []


async def test_an_event_carries_its_id_and_data() -> None:
    stream = (
        "event: output.message.delta\n"
        "id: event_1\n"
        'data: {"id":"event_1","type":"output.message.delta","data":{"delta":"Hello"}}\n\n'
    )

    (event,) = await events_of(stream)

    assert (event.id, event.type, event.text("delta")) == (
        "event_1",
        "output.message.delta",
        "Hello",
    )


async def test_data_over_two_lines_is_one_event() -> None:
    stream = 'data: {"id":"event_1",\ndata: "type":"turn.completed"}\n\n'

    (event,) = await events_of(stream)

    assert event.type == "turn.completed"


async def test_a_half_sent_event_is_dropped() -> None:
    stream = 'data: {"id":"event_1","type":"turn.completed"}\n'

    assert await events_of(stream) == []


class Listing(Api):
    """Answers as a list of so many items would."""

    def __init__(self, total: int) -> None:
        super().__init__("http://nowhere")
        self._total = total

    async def _call(self, method: str, path: str, body: Mapping[str, object] | None) -> bytes:
        query = parse_qs(urlsplit(path).query)
        offset, limit = int(query["offset"][0]), int(query["limit"][0])
        shown = range(self._total)[offset : offset + limit]
        page = {"data": [{"id": str(n)} for n in shown], "total": self._total}
        return json.dumps(page).encode()


@pytest.mark.parametrize("total", [0, 1, PAGE_ITEMS, PAGE_ITEMS + 1, 3 * PAGE_ITEMS])
async def test_a_list_is_read_to_its_end(total: int) -> None:
    async with Listing(total) as api:
        found = [one.id async for one in api.every("/things", Identified)]

    assert found == [str(n) for n in range(total)]
