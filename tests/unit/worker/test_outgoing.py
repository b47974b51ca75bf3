"""What rides one frame to the engine."""

from mainspring_kernel.limits import FRAME_BYTES_TARGET
from mainspring_schema.workflows import StepRecord
from tests.unit.worker.making import attached_core, held
from tests.unit.worker.test_core import give


def test_frame_is_cut_at_its_bytes() -> None:
    core = attached_core()
    give(core, held(1), held(2))
    for number in (1, 2):
        core.finish(held(number), bytes(FRAME_BYTES_TARGET))

    first, second, third = core.take(0.0), core.take(0.0), core.take(0.0)

    assert first is not None
    assert second is not None
    assert [len(first.results), len(second.results)] == [1, 1]
    assert third is None


def test_what_fills_a_frame_shares_it_with_nothing_else_that_is_large() -> None:
    """Each is within its bound; together they would be beyond that of a message."""
    core = attached_core()
    give(core, held(1), held(2), held(3))
    step = StepRecord(step="1", name="add", result=bytes(FRAME_BYTES_TARGET))
    core.emit(held(1), steps=(step,))
    core.finish(held(2), bytes(3 * FRAME_BYTES_TARGET))
    core.report(held(3), "", bytes(FRAME_BYTES_TARGET))

    frames = [core.take(0.0) for _ in range(4)]

    carried = [
        (len(frame.emits), len(frame.results), len(frame.progress))
        for frame in frames
        if frame is not None
    ]
    assert carried == [(1, 0, 0), (0, 1, 0), (0, 0, 1)]
