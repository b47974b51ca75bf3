"""Before each call of a model the worker looks whether the task is surely its own still."""

from collections.abc import AsyncGenerator

import pytest

from mainspring_worker.ports.model import ModelItem, ModelRequest
from mainspring_workstream.attempt import Attempt
from tests.unit.worker import test_compaction, test_shaping
from tests.unit.worker.making import config, held, history, reason_payload, task
from tests.unit.worker.test_reason import RESULT
from tests.unit.worker.workbench import Script, bench

LOOK, CALL = "look", "call"


class Watch:
    """What was done, in its order."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.seen: list[str] = []
        leased = Attempt.leased

        async def looks(attempt: Attempt) -> None:
            await leased(attempt)
            self.seen.append(LOOK)

        monkeypatch.setattr(Attempt, "leased", looks)

    def over(self, script: Script) -> Script:
        async def called(request: ModelRequest) -> AsyncGenerator[ModelItem, None]:
            self.seen.append(CALL)
            async for item in script(request):
                yield item

        return called


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch) -> Watch:
    return Watch(monkeypatch)


async def test_no_model_is_called_while_the_local_lease_is_over() -> None:
    async with bench(script=test_shaping.says("hi")) as b:
        # A lease shorter than the margin is over on arrival.
        first = await b.engine.attached(lease_ms=300)
        first.give(task(held(), reason_payload(), config=config(), tail=history()))
        await first.until(lambda f: f.beat is not None and f.beat.held)
        called_before = len(b.model.requests)
        first.hang_up()

        second = await b.engine.attached()
        result = RESULT.decode((await second.result()).body)

    assert (called_before, len(b.model.requests), result.text) == (0, 1, "hi")


async def test_each_further_answer_is_asked_for_behind_a_look_of_its_own(watch: Watch) -> None:
    script = watch.over(test_shaping.says('{"n": "x"}', '{"n": 2}'))

    _, result, _ = await test_shaping.answered(test_shaping.config(), script)

    assert result.failure is None
    assert watch.seen == [LOOK, CALL, LOOK, CALL]


async def test_so_is_a_summary(watch: Watch) -> None:
    _, result, _ = await test_compaction.run(
        test_compaction.config(), watch.over(test_compaction.script())
    )

    assert result.text == "hi"
    assert watch.seen == [LOOK, CALL, LOOK, CALL]
