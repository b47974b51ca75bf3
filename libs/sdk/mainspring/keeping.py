"""What a go keeps: its records, on their way to the engine, and the last words of their steps."""

import asyncio
from collections.abc import Callable

from mainspring.heartbeats import Course
from mainspring.limits import COMPANY_S
from mainspring.saving import Saver
from mainspring.succession import Succession
from mainspring.surroundings import Code, Engine
from mainspring_schema.workflows import StepRecord


class Keeping:
    """`goes` tells whether the code is under way; `moved` and `failed` are the saver's."""

    def __init__(
        self,
        engine: Engine,
        code: Code,
        *,
        goes: Callable[[], bool],
        moved: Callable[[], None],
        failed: Callable[[BaseException], None],
    ) -> None:
        self._alone_s = COMPANY_S if code.pipelined else 0.0
        self._goes, self._moved, self._failed = goes, moved, failed
        self._soon: asyncio.TimerHandle | None = None
        """When what is kept is saved, whoever comes meanwhile."""
        self._spent: list[Course] = []
        """Of steps that are over and may not be recorded yet."""
        self.saver = self._saver(engine)

    def through(self, engine: Engine) -> None:
        """From now on: the next attempt's."""
        self._spent.clear()
        self.saver = self._saver(engine)

    async def in_turn(self, succession: Succession, record: StepRecord, course: Course) -> None:
        """Keeps what a step came to, and returns when it is its turn."""
        self.saver.keep(succession.made(record))
        if course.spoken:
            self._spent.append(course)
        try:
            await succession.of(record.step)
        finally:
            self._save_soon()

    def keep_alone(self, record: StepRecord) -> None:
        """Of what nobody waits for."""
        self.saver.keep(record)
        self._save_soon()

    def _save_soon(self) -> None:
        # Not at once: if the code ends now, what is kept rides with the result.
        if self._soon is None:
            self._soon = asyncio.get_running_loop().call_later(self._alone_s, self._save)

    def _saver(self, engine: Engine) -> Saver:
        return Saver(engine.checkpoint, done=self._saved, failed=self._failed)

    def _save(self) -> None:
        self._soon = None
        if self._goes():
            self.saver.save()

    def _saved(self) -> None:
        """A step's last words go once its record is there."""
        if not self.saver.flying:
            for course in self._spent:
                course.over()
            self._spent.clear()
        self._moved()
