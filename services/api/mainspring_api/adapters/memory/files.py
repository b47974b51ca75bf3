"""Files in memory: as they are, as they were, and as a fork has them from another workspace."""

from collections.abc import Sequence
from typing import TypeAlias
from uuid import UUID

import msgspec

from mainspring_api.adapters.memory.records import MemoryRecords
from mainspring_api.adapters.memory.rows import Past, began_as
from mainspring_api.domain.resources import File
from mainspring_kernel.errors import MainspringError
from mainspring_kernel.ids import OrgId, WorkspaceId

Key: TypeAlias = tuple[OrgId, WorkspaceId, str]


class MemoryFiles(MemoryRecords):
    """Beside the records of the same organization, and like them."""

    async def fork_workspace(
        self, workspace_id: WorkspaceId, parent_id: WorkspaceId, *, as_of_ms: int | None
    ) -> None:
        moment = self._clock.wall_ms() + 1 if as_of_ms is None else as_of_ms
        self._rows.forks[self._org_id, workspace_id] = (parent_id, moment)

    async def files(self, workspace_id: WorkspaceId) -> Sequence[File]:
        found = sorted(self._there(workspace_id), key=lambda file: file.path)
        return [msgspec.structs.replace(file, content=None) for file in found]

    async def file(self, workspace_id: WorkspaceId, path: str) -> File | None:
        own = self._rows.files.get((self._org_id, workspace_id, path))
        if own is not None or (self._org_id, workspace_id) not in self._rows.forks:
            return own
        return next((file for file in self._there(workspace_id) if file.path == path), None)

    async def files_at(self, workspace_id: WorkspaceId, paths: Sequence[str]) -> Sequence[File]:
        found = [await self.file(workspace_id, path) for path in set(paths)]
        there = [file for file in found if file is not None]
        return sorted(there, key=lambda file: file.path)

    async def lock_files(self, workspace_id: WorkspaceId) -> None:
        del workspace_id  # transactions run one after the other

    async def move_files(
        self, workspace_id: WorkspaceId, pairs: Sequence[tuple[str, str]], *, now_ms: int
    ) -> None:
        self._own_files(workspace_id)
        for source, target in pairs:
            file = self._rows.files[self._org_id, workspace_id, source]
            self._remove((self._org_id, workspace_id, source))
            self._put(msgspec.structs.replace(file, path=target, updated_ms=now_ms))

    async def copy_files(
        self, workspace_id: WorkspaceId, copies: Sequence[tuple[str, str, UUID]], *, now_ms: int
    ) -> None:
        self._own_files(workspace_id)
        for source, target, id_ in copies:
            file = self._rows.files[self._org_id, workspace_id, source]
            self._put(
                msgspec.structs.replace(
                    file, path=target, id=id_, is_readonly=False, created_ms=now_ms,
                    updated_ms=now_ms,
                )
            )  # fmt: skip

    async def put_files(self, files: Sequence[File]) -> None:
        for file in files:
            self._check_owner(file.org_id)
            self._own_files(file.workspace_id)
            self._put(file)

    async def size_bytes(self, workspace_id: WorkspaceId) -> int:
        return sum(file.size_bytes for file in self._there(workspace_id))

    async def remove_files(self, workspace_id: WorkspaceId, paths: Sequence[str]) -> int:
        self._own_files(workspace_id)
        return sum(self._remove((self._org_id, workspace_id, path)) for path in paths)

    def _drop_files(self, workspace_id: WorkspaceId) -> None:
        """With their past, once its forks have their own."""
        for (_, fork), (parent, _) in list(self._rows.forks.items()):
            if parent == workspace_id:
                self._own_files(fork)
        for key in [key for key in self._rows.files if key[:2] == (self._org_id, workspace_id)]:
            del self._rows.files[key]
            self._rows.changed.pop(key, None)
        self._rows.past.pop((self._org_id, workspace_id), None)
        self._rows.forks.pop((self._org_id, workspace_id), None)

    # ── the past ────────────────────────────────────────────────────────────────────────────────

    def _there(self, workspace_id: WorkspaceId) -> list[File]:
        source, as_of_ms = began_as(self._rows.forks, self._org_id, workspace_id)
        own = [
            (file, self._rows.changed.get(key, 0))
            for key, file in self._rows.files.items()
            if key[:2] == (self._org_id, source)
        ]
        if as_of_ms is None:
            return [file for file, _ in own]
        then = [file for file, changed_ms in own if changed_ms < as_of_ms]
        then += [
            past.file
            for past in self._rows.past.get((self._org_id, source), ())
            if past.changed_ms < as_of_ms <= past.until_ms
        ]
        return [msgspec.structs.replace(file, workspace_id=workspace_id) for file in then]

    def _own_files(self, workspace_id: WorkspaceId) -> None:
        """Before anything is written in a fork its files become its own, as of its beginning."""
        if (self._org_id, workspace_id) not in self._rows.forks:
            return
        for file in self._there(workspace_id):
            self._rows.files[self._org_id, workspace_id, file.path] = file
        del self._rows.forks[self._org_id, workspace_id]

    def _put(self, file: File) -> None:
        key = (self._org_id, file.workspace_id, file.path)
        self._keep_past(key)
        self._rows.files[key] = file
        self._rows.changed[key] = self._clock.wall_ms()

    def _remove(self, key: Key) -> bool:
        self._keep_past(key)
        self._rows.changed.pop(key, None)
        return self._rows.files.pop(key, None) is not None

    def _keep_past(self, key: Key) -> None:
        file = self._rows.files.get(key)
        if file is None:
            return
        past = Past(file, self._rows.changed.get(key, 0), self._clock.wall_ms())
        self._rows.past[key[:2]] = (*self._rows.past.get(key[:2], ()), past)

    def _check_owner(self, org_id: OrgId) -> None:
        """What the row-level policies do in Postgres."""
        if org_id != self._org_id:
            message = "a row of another organization"
            raise MainspringError(message)
