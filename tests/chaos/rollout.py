"""Two versions at once: a rolling deployment under load, forth, back and forth again."""

import asyncio
import random
import shutil
import signal
import sys
import time
from asyncio.subprocess import PIPE, STDOUT
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

from mainspring_local import migrations
from mainspring_local.errors import StartProblem
from mainspring_local.stack import Stack
from tests.chaos.fleet import Fleet
from tests.chaos.found import Findings
from tests.chaos.nemesis import Strike
from tests.chaos.trees import Tree, added

REPLICAS: Final = {"eventstore": 2, "engine": 2, "api": 2, "scheduler": 2, "worker": 2, "coder": 2}
STEADY_S: Final = 3.0
"""Between two parts of the deployment."""
FLIP_S: Final = 1.5
FLIPPED: Final = 3
"""Services that become the other version at once."""
KILLED: Final = 0.5
"""So many do not drain before they come again as the other version."""
TRIES_MAX: Final = 5
"""A migration waits for no lock for long: under load it is tried again, as people do."""


class Schema:
    """Takes a database from the schema of one tree to that of another, and back."""

    def __init__(self, stack: Stack, folder: Path, old: Tree, new: Tree) -> None:
        self.old, self.new = old, new
        self._stack, self._folder = stack, folder
        self._added = added(old, new)

    async def expand(self) -> int:
        """What comes before the new version's services; how many migrations."""
        chosen = [path for path in self._added if "_pre_" in path.name]
        folder = self._folder / "expanded"
        shutil.rmtree(folder, ignore_errors=True)
        (folder / "migrations").mkdir(parents=True)
        for path in (*self.old.migrations, *chosen):
            shutil.copy(path, folder / "migrations")
        await self._apply(folder)
        return len(chosen)

    async def contract(self) -> int:
        """What comes when the last old process has left."""
        left = [path for path in self._added if "_post_" in path.name]
        if left:
            await self._apply(self.new.root)
        return len(left)

    async def take_back(self) -> int:
        """The way down of what `expand` brought, newest first."""
        chosen = [path for path in self._added if "_pre_" in path.name]
        for _ in chosen:
            await _insist(self._roll_back)
        return len(chosen)

    async def _apply(self, root: Path) -> None:
        server = self._stack.postgres
        migrations.create_roles(server, self.new.root, self._stack.passwords)
        await _insist(lambda: migrations.apply(server, root, lambda _: None))

    async def _roll_back(self) -> None:
        server = self._stack.postgres
        process = await asyncio.create_subprocess_exec(
            str(Path(sys.executable).parent / "dbmate"), "--no-dump-schema",
            f"--migrations-dir={self._folder / 'expanded' / 'migrations'}", "rollback",
            env=server.environment | {"DATABASE_URL": f"{server.url()}?sslmode=disable"},
            stdout=PIPE, stderr=STDOUT,
        )  # fmt: skip
        printed, _ = await process.communicate()
        if process.returncode != 0:
            detail = f"a way down failed: {printed.decode(errors='replace')[-400:]}"
            raise StartProblem(detail)


async def _insist(work: Callable[[], Awaitable[None]]) -> None:
    for left in reversed(range(TRIES_MAX)):
        try:
            await work()
        except StartProblem:
            if not left:
                raise
        else:
            return


class Rollout:
    """In the place of a nemesis: what it does to the fleet is what people do on purpose."""

    def __init__(
        self, fleet: Fleet, schema: Schema, seed: int, mixed_s: float, findings: Findings
    ) -> None:
        self.strikes: list[Strike] = []
        self.counts: Counter[str] = Counter()
        self.zombies = 0
        self._fleet, self._schema, self._findings = fleet, schema, findings
        self._old, self._new = schema.old, schema.new
        self._mixed_s = mixed_s
        self._draws = random.Random(f"rollout {seed}")

    async def rage(self, over: asyncio.Event, pace: float) -> None:
        """To its end; nobody is told before that it is over."""
        del over
        await asyncio.sleep(STEADY_S)
        await self._change("up", self._schema.expand)
        await self._move(self._new, [n for n in self._fleet.services() if n.endswith("-2")])
        await self._flip(pace)
        await self._move(self._new, self._fleet.services())
        await asyncio.sleep(STEADY_S)
        await self._move(self._old, self._fleet.services())
        await self._change("down", self._schema.take_back)
        await self._change("up", self._schema.expand)
        await self._move(self._new, self._fleet.services())
        await self._change("up", self._schema.contract)
        await asyncio.sleep(STEADY_S)

    async def heal(self) -> None:
        for name in self._fleet.services():
            await self._fleet.healthy(name)

    async def _flip(self, pace: float) -> None:
        """Any service becomes the other version, again and again: mostly both are at work."""
        until = time.monotonic() + self._mixed_s
        while time.monotonic() < until:
            some = self._draws.sample(self._fleet.services(), FLIPPED)
            await asyncio.gather(*(self._become(name, self._other(name)) for name in some))
            await asyncio.sleep(FLIP_S / pace * self._draws.random())

    def _other(self, name: str) -> Tree:
        is_old = self._fleet.tree_of(name).name == self._old.name
        return self._new if is_old else self._old

    async def _move(self, tree: Tree, names: list[str]) -> None:
        """In a rolling restart: one of each kind at once, then the other."""
        numbers = sorted({name.rpartition("-")[2] for name in names})
        for number in self._draws.sample(numbers, len(numbers)):
            together = [name for name in names if name.endswith(f"-{number}")]
            await asyncio.gather(*(self._become(name, tree) for name in together))

    async def _become(self, name: str, tree: Tree) -> None:
        if self._fleet.tree_of(name).name == tree.name:
            return
        kind = f"becomes {'old' if tree.name == self._old.name else 'new'}"
        self.counts[kind] += 1
        began, wall_ms = time.monotonic(), round(time.time() * 1000)
        killed = self._draws.random() < KILLED
        number = signal.SIGKILL if killed else signal.SIGTERM
        await self._fleet.become(name, tree, number)
        back_s = time.monotonic() - began
        self.strikes.append(Strike(kind=kind, target=name, wall_ms=wall_ms, back_s=back_s))

    async def _change(self, way: str, work: Callable[[], Awaitable[int]]) -> None:
        try:
            self.counts[f"migrations {way}"] += await work()
        except StartProblem as problem:
            self._findings.add("schema", str(problem))
        await asyncio.sleep(STEADY_S)
