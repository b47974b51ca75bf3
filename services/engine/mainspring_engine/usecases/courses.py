"""What this engine remembers of declared workflows, so that a step's end needs no read first.

All of it is committed and never changes, so it may be forgotten and cannot be wrong.
"""

from collections import OrderedDict
from uuid import UUID

from mainspring_engine.domain.changes import Changes
from mainspring_engine.domain.limits import DECLARATIONS_CACHED_MAX, VALUES_CACHED_BYTES_MAX
from mainspring_engine.domain.rows import Outcome
from mainspring_engine.domain.workflow import state as states
from mainspring_engine.domain.workflow.charts import Chart
from mainspring_engine.ports.store import Store
from mainspring_kernel.errors import ConfigurationUnknown, ValidationFailed
from mainspring_schema.declarations import check_new, hash_of


class Courses:
    """Declarations by hash, and the values of workflows that go on. Bounded: oldest first out."""

    def __init__(self, store: Store, *, bytes_max: int = VALUES_CACHED_BYTES_MAX) -> None:
        self._store = store
        self._charts: OrderedDict[bytes, Chart] = OrderedDict()
        self._kept: set[bytes] = set()
        self._values: OrderedDict[UUID, dict[str, bytes]] = OrderedDict()
        self._bytes = 0
        self._bytes_max = bytes_max

    # ── declarations ────────────────────────────────────────────────────────────────────────────

    def chart(self, digest: bytes) -> Chart | None:
        chart = self._charts.get(digest)
        if chart is not None:
            self._charts.move_to_end(digest)
        return chart

    def is_kept(self, digest: bytes) -> bool:
        return digest in self._kept

    def learn(self, raw: bytes) -> None:
        """What a start brings along. Raises ValidationFailed for what cannot be run."""
        if hash_of(raw) in self._charts:
            return
        try:
            chart = Chart(raw)
            check_new(chart.declaration)
            self._put(chart)
        except ValueError as error:
            detail = f"the declaration cannot be run: {error}"
            raise ValidationFailed(detail) from error

    async def get(self, digest: bytes) -> Chart:
        """Raises ConfigurationUnknown where neither it nor the store has such a declaration."""
        if self.chart(digest) is None:
            await self.load(digest)
        return self._charts[digest]

    async def load(self, digest: bytes) -> None:
        """Raises ConfigurationUnknown where the store has no such declaration."""
        body = (await self._store.configs((digest,))).get(digest)
        if body is None:
            raise ConfigurationUnknown(digest.hex())
        self._put(Chart(body))
        self._kept.add(digest)

    def _put(self, chart: Chart) -> None:
        self._charts[chart.hash] = chart
        if len(self._charts) > DECLARATIONS_CACHED_MAX:
            digest, _ = self._charts.popitem(last=False)
            self._kept.discard(digest)

    # ── values ──────────────────────────────────────────────────────────────────────────────────

    def value(self, workflow_id: UUID, step: str) -> bytes | None:
        values = self._values.get(workflow_id)
        return None if values is None else values.get(step)

    def committed(self, changes: Changes) -> None:
        """Keeps what later steps may refer to, until the workflow ends."""
        if not changes.workflows:
            return
        change = changes.workflows[-1]
        if change.config_hash:
            return  # a turn
        if change.outcome is not Outcome.RUNNING:
            self._forget(change.id)
            return
        if not (changes.results or changes.steps):
            return
        course = states.decode_state(change.state).course
        if course is None:
            return
        if course.declaration in self._charts:
            self._kept.add(course.declaration)
        self._keep(change.id, {row.step: row.body for row in (*changes.results, *changes.steps)})

    def _keep(self, workflow_id: UUID, fresh: dict[str, bytes]) -> None:
        self._values.setdefault(workflow_id, {}).update(fresh)
        self._values.move_to_end(workflow_id)
        self._bytes += sum(map(len, fresh.values()))
        while self._bytes > self._bytes_max and self._values:
            self._forget(next(iter(self._values)))

    def _forget(self, workflow_id: UUID) -> None:
        values = self._values.pop(workflow_id, None)
        if values is not None:
            self._bytes -= sum(map(len, values.values()))
