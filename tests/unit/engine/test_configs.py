"""Configurations that workers ask for: one read of a stream at a time; and what they were sent."""

import asyncio
from collections.abc import Coroutine
from typing import cast
from uuid import UUID

from mainspring_engine.domain.limits import CONFIGS_READ_MAX
from mainspring_engine.usecases.agents import Agents
from mainspring_engine.usecases.attachments import Attachment
from mainspring_engine.usecases.configs import Configs
from mainspring_engine.usecases.outbox import FrameOutbox
from mainspring_kernel.limits import CONFIG_CACHE_ENTRIES_MAX


class Shelf:
    """Has all of them; notes what was read at once."""

    def __init__(self) -> None:
        self.reads: list[tuple[bytes, ...]] = []

    async def bodies(self, hashes: tuple[bytes, ...]) -> dict[bytes, bytes]:
        self.reads.append(hashes)
        return dict.fromkeys(hashes, b"body")


async def test_a_stream_asks_often_and_is_read_for_once_in_parts() -> None:
    shelf, spawned = Shelf(), list[asyncio.Task[None]]()

    def spawn(work: Coroutine[None, None, None]) -> None:
        spawned.append(asyncio.create_task(work))

    configs = Configs(cast("Agents", cast("object", shelf)), spawn)
    attachment = Attachment(UUID(int=1), 1, outbox := FrameOutbox())
    hashes = [bytes([number]) for number in range(CONFIGS_READ_MAX + 1)]

    for _ in range(100):
        configs.asked(attachment, (*hashes, *hashes))
    await asyncio.gather(*spawned)

    assert shelf.reads == [tuple(hashes[:-1]), (hashes[-1],)]
    frame = await outbox.next_frame()
    assert frame is not None
    assert [config.hash for config in frame.configs] == hashes

    configs.asked(attachment, (b"x",))
    await asyncio.gather(*spawned)
    assert shelf.reads[2:] == [(b"x",)]


def test_of_a_stream_as_many_are_remembered_as_a_worker_keeps() -> None:
    attachment = Attachment(UUID(int=1), 1, FrameOutbox())
    used, unused = b"used", b"unused"

    attachment.sent_config(used)
    attachment.sent_config(unused)
    for number in range(CONFIG_CACHE_ENTRIES_MAX - 1):
        assert attachment.has_config(used)
        attachment.sent_config(number.to_bytes(32))

    assert attachment.has_config(used)
    assert not attachment.has_config(unused)
