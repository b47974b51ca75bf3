"""Folded agents by hash.

Workers get their bytes; the turn machine gets what it needs of them to decide.
"""

from collections import OrderedDict

from mainspring_engine.domain.intents import Intent, Submitted
from mainspring_engine.domain.turn.agent import TurnAgent, turn_agent
from mainspring_engine.ports.store import Store
from mainspring_kernel.errors import ConfigurationUnknown
from mainspring_kernel.limits import CONFIG_CACHE_ENTRIES_MAX
from mainspring_schema.agents import decode_runtime_agent


class Agents:
    """A bounded cache over the store's insert-only configurations."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._entries: OrderedDict[bytes, tuple[bytes, TurnAgent]] = OrderedDict()

    def get(self, config_hash: bytes) -> TurnAgent | None:
        entry = self._entries.get(config_hash)
        return None if entry is None else entry[1]

    async def load(self, config_hash: bytes) -> None:
        """Raises ConfigurationUnknown where nobody has brought these bytes yet."""
        bodies = await self._store.configs((config_hash,))
        body = bodies.get(config_hash)
        if body is None:
            raise ConfigurationUnknown(config_hash.hex())
        self._put(config_hash, body)

    async def bodies(self, hashes: tuple[bytes, ...]) -> dict[bytes, bytes]:
        """The bytes for workers; empty where the hash is unknown."""
        missing = tuple(h for h in hashes if h not in self._entries)
        if missing:
            for config_hash, body in (await self._store.configs(missing)).items():
                self._put(config_hash, body)
        return {h: self._entries[h][0] if h in self._entries else b"" for h in hashes}

    def body(self, config_hash: bytes) -> bytes | None:
        entry = self._entries.get(config_hash)
        return None if entry is None else entry[0]

    def learn(self, intent: Intent) -> None:
        """A submit may bring the bytes along; its commit stores them."""
        if isinstance(intent, Submitted) and intent.command.config is not None:
            self._put(intent.command.config_hash, intent.command.config)

    def _put(self, config_hash: bytes, body: bytes) -> None:
        if config_hash not in self._entries:
            agent = turn_agent(config_hash, decode_runtime_agent(body))
            self._entries[config_hash] = (body, agent)
        self._entries.move_to_end(config_hash)
        if len(self._entries) > CONFIG_CACHE_ENTRIES_MAX:
            self._entries.popitem(last=False)
