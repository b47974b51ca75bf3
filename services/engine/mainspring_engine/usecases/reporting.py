"""Stores the progress that steps report: one statement under way, each step's newest report."""

from typing import Final
from uuid import UUID

from mainspring_engine.domain.limits import STREAM_GRACE_S
from mainspring_engine.ports.progress import Report
from mainspring_engine.ports.store import Store
from mainspring_engine.usecases.attachments import Attachment, Attachments
from mainspring_engine.usecases.batching import Batcher
from mainspring_kernel.clock import Clock
from mainspring_kernel.errors import Unavailable
from mainspring_kernel.progress_limits import PROGRESS_BYTES_MAX
from mainspring_schema.frames import Acknowledgement, Progress, Verdict
from mainspring_schema.workflows import BEGUN_MARK, PLACE

_PLAIN: Final = ""
"""The step of a plain task, which has no steps."""


class Reports:
    """One per process."""

    def __init__(self, store: Store, attachments: Attachments, clock: Clock) -> None:
        self._store = store
        self._attachments = attachments
        self._clock = clock
        self._batcher = Batcher(self._keep)

    async def work(self) -> None:
        await self._batcher.work()

    def said(self, attachment: Attachment, progress: Progress) -> None:
        """What a worker may not say is refused; the rest is answered once it is kept."""
        if attachment.given(progress.held) is None:
            _answer(attachment, progress, Verdict.STALE)
        elif not _is_fit(progress):
            _answer(attachment, progress, Verdict.INVALID)
        else:
            report = Report(progress=progress, incarnation=attachment.incarnation)
            self._batcher.put(report, by=attachment.incarnation)

    async def _keep(self, reports: tuple[Report, ...]) -> None:
        newest: dict[tuple[UUID, str], Report] = {}
        for report in reports:
            key = (report.progress.held.task_id, report.progress.step)
            known = newest.get(key)
            if known is None or _age(report) > _age(known):
                newest[key] = report
        while True:
            try:
                verdicts = await self._store.progress.keep(tuple(newest.values()))
                break
            except Unavailable:
                # A handler that is about to fail waits for the answer.
                await self._clock.sleep(STREAM_GRACE_S)
        for report, verdict in zip(newest.values(), verdicts, strict=True):
            attachment = self._attachments.get(report.incarnation)
            if attachment is not None:
                _answer(attachment, report.progress, verdict)


def _age(report: Report) -> tuple[int, int]:
    return report.progress.held.fence, report.progress.counter


def _is_fit(progress: Progress) -> bool:
    place = progress.step.removesuffix(BEGUN_MARK)
    known = progress.step == _PLAIN or PLACE.fullmatch(place) is not None
    return known and len(progress.details) <= PROGRESS_BYTES_MAX


def _answer(attachment: Attachment, progress: Progress, verdict: Verdict) -> None:
    acknowledgement = Acknowledgement(held=progress.held, verdict=verdict, counter=progress.counter)
    attachment.outbox.progress(acknowledgement)
