"""Sends workers the configurations that they ask for."""

import logging
from collections.abc import Callable, Coroutine
from itertools import islice
from weakref import WeakKeyDictionary

from mainspring_engine.domain.limits import CONFIGS_READ_MAX, WORKER_SLOTS_MAX
from mainspring_engine.usecases.agents import Agents
from mainspring_engine.usecases.attachments import Attachment
from mainspring_kernel.errors import Unavailable
from mainspring_schema.frames import Config

_log = logging.getLogger(__name__)


class Configs:
    """A stream has one read under way; what it asks for meanwhile rides the next, and once."""

    def __init__(
        self, agents: Agents, spawn: Callable[[Coroutine[None, None, None]], None]
    ) -> None:
        self._agents = agents
        self._spawn = spawn
        self._wanted: WeakKeyDictionary[Attachment, dict[bytes, None]] = WeakKeyDictionary()
        """By streams with a read under way."""

    def asked(self, attachment: Attachment, hashes: tuple[bytes, ...]) -> None:
        """More than its slots no worker needs at once: the rest is left out."""
        begins = attachment not in self._wanted
        wanted = self._wanted.setdefault(attachment, {})
        room = WORKER_SLOTS_MAX - len(wanted)
        wanted |= dict.fromkeys(islice(dict.fromkeys(hashes), room))
        if begins:
            self._spawn(self._send_all(attachment, wanted))

    async def _send_all(self, attachment: Attachment, wanted: dict[bytes, None]) -> None:
        try:
            while wanted:
                hashes = tuple(islice(wanted, CONFIGS_READ_MAX))
                for config_hash in hashes:
                    del wanted[config_hash]
                await self._send(attachment, hashes)
        finally:
            del self._wanted[attachment]

    async def _send(self, attachment: Attachment, hashes: tuple[bytes, ...]) -> None:
        try:
            bodies = await self._agents.bodies(hashes)
        except Unavailable as error:
            _log.warning("configurations wait: %s", error)
            return
        for config_hash, body in bodies.items():
            attachment.sent_config(config_hash)
            attachment.outbox.config(Config(hash=config_hash, body=body))
