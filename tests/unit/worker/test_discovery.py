"""A plain task asks for the models of a provider: whose key is used, and how it ends."""

from uuid import UUID

import msgspec
import pytest

from mainspring_schema.discovery import LIST_MODELS, FoundModel, FoundModels
from mainspring_schema.frames import FromWorker, Task
from mainspring_schema.tasks import PlainResult, PlainTask, StepTask
from mainspring_worker.adapters.memory import FixedCredentials
from mainspring_worker.ports.credentials import ProviderAccess
from mainspring_worker.ports.failures import Kind, failure
from mainspring_worker.ports.model import Credentials
from tests.unit.worker.making import held, task
from tests.unit.worker.workbench import Bench, bench

ACCESS = ProviderAccess(
    credentials=Credentials(api_key="k-1"), base_url="http://127.0.0.1:1/v1", driver="openai"
)
KNOWN = FixedCredentials({"provider_1": ACCESS}, held())
ASKED = b'{"provider_id":"provider_1"}'
RESULT = msgspec.msgpack.Decoder(PlainResult)


def question(input_: bytes = ASKED, type_: str = LIST_MODELS) -> Task:
    return task(held(), PlainTask(task_type=type_, input=input_))


async def given(b: Bench, asked: Task) -> FromWorker:
    engine = await b.engine.attached()
    engine.give(asked)
    return await engine.until(lambda frame: frame.results or frame.returned)


async def ended(b: Bench, asked: Task) -> PlainResult:
    return RESULT.decode((await given(b, asked)).results[0].body)


async def test_the_stored_key_and_address_are_used_and_the_list_comes_home() -> None:
    found = FoundModels(models=(FoundModel(model="m", display_name="M"),), skipped=2)
    async with bench(credentials=KNOWN) as b:
        b.model.offer = found

        result = await ended(b, question())

        (asked,) = b.model.offers
    assert msgspec.json.decode(result.result, type=FoundModels) == found
    assert (asked.credentials, asked.base_url) == (ACCESS.credentials, ACCESS.base_url)


async def test_a_step_of_a_workflow_asks_alike() -> None:
    step = StepTask(workflow_id=UUID(int=7), step="1", task_type=LIST_MODELS, input=ASKED)
    async with bench(credentials=KNOWN) as b:
        result = await ended(b, task(held(), step))

    assert result.flaw is None


async def test_a_refusal_comes_home_in_the_providers_words_and_for_good() -> None:
    async with bench(credentials=KNOWN) as b:
        b.model.offer = failure(Kind.MISCONFIGURED, "status 401: bad key")

        result = await ended(b, question())

    assert result.flaw is not None
    assert (result.flaw.code, result.flaw.message) == (
        "provider_misconfigured", "status 401: bad key",
    )  # fmt: skip
    assert (result.retry_ms, result.lasting) == (None, True)


@pytest.mark.parametrize(
    ("input_", "code"),
    [
        (b'{"provider_id":"provider_2"}', "not_found"),
        (b"[]", "invalid_arguments"),
        (b'{"provider_id":"provider_1","base_url":"http://evil"}', "invalid_arguments"),
    ],
)
async def test_what_nobody_can_ask_for_is_told(input_: bytes, code: str) -> None:
    async with bench(credentials=KNOWN) as b:
        result = await ended(b, question(input_))

        assert b.model.offers == []
    assert result.flaw is not None
    assert result.flaw.code == code


async def test_a_task_of_another_kind_is_handed_back() -> None:
    async with bench(credentials=KNOWN) as b:
        frame = await given(b, question(type_="render"))

    assert frame.returned == (held(),)
