"""Images that tools give: shown where they fit an event, files where not, withheld by the rules."""

from base64 import b64encode
from typing import cast

import msgspec
import pytest

from mainspring_harness.builtin import builtin_registry
from mainspring_kernel.limits import KIB
from mainspring_schema.messages import ImagePart, Json
from mainspring_schema.tasks import ToolResult
from mainspring_worker.adapters.memory import MemoryFiles
from mainspring_worker.ports.tool import ToolContext, ToolOutcome
from mainspring_workstream.pictures import read
from tests.unit.worker.making import held, task
from tests.unit.worker.making import tool_payload as payload_of
from tests.unit.worker.test_act import RESULT
from tests.unit.worker.test_compaction import granted
from tests.unit.worker.test_guard import SECRET, config
from tests.unit.worker.test_hooks import answering, hook
from tests.unit.worker.test_hooks import config as hooked
from tests.unit.worker.workbench import Body, bench, tool

PNG = b"\x89PNG\r\n\x1a\n"


def image(size: int = 100, sign: bytes = PNG) -> ImagePart:
    picture = read(b64encode(sign.ljust(size, b"\0")).decode())
    assert picture is not None
    return picture.part


def giving(result: object, *images: ImagePart) -> Body:
    async def body(arguments: Json, context: ToolContext) -> ToolOutcome:
        del arguments, context
        return ToolOutcome(result=result, images=images)

    return body


async def told(*images: ImagePart, files: MemoryFiles | None = None) -> ToolResult:
    async with bench(tools=[tool(giving("drawn", *images))], files=files) as b:
        engine = await b.engine.attached()
        engine.give(task(payload=payload_of()))
        return RESULT.decode((await engine.result()).body)


async def test_images_come_beside_the_result() -> None:
    first, second = image(), image(sign=b"\xff\xd8\xff")

    result = await told(first, second)

    assert (result.result, result.images) == ("drawn", (first, second))


async def test_what_not_every_provider_reads_is_not_shown_whoever_brings_it() -> None:
    drawing = ImagePart(base64=b64encode(b"<svg></svg> and more").decode(), media_type="image/png")

    result = await told(image(), drawing, ImagePart(base64="*"), ImagePart(url="https://x"))

    assert (result.result, result.images) == ("drawn", (image(),))


async def test_an_image_without_room_is_a_file_and_the_model_reads_where() -> None:
    files, small = MemoryFiles(held()), image()
    large = image(700 * KIB)

    result = await told(small, large, small, files=files)

    assert result.images == (small, small)
    (left,) = cast("dict[str, list[Json]]", result.result)["images_not_shown"]
    assert left == {
        "image": 2,
        "type": "image",
        "media_type": "image/png",
        "bytes": 700 * KIB,
        "output_file": "/outputs/call_1-2.png",
        "note": "too large to be shown; it is in that file",
    }
    assert files.content == {"/outputs/call_1-2.png": PNG.ljust(700 * KIB, b"\0")}


@pytest.mark.parametrize(("value", "shown"), [("hush", False), ("fine", True)])
async def test_what_a_guardrail_withholds_takes_its_images_along(value: str, shown: bool) -> None:
    payload = msgspec.structs.replace(payload_of(), guarded=True)
    one = tool(giving(value, image()))
    async with bench(tools=[one], registry=builtin_registry()) as b:
        engine = await b.engine.attached()
        engine.give(task(payload=payload, config=config(SECRET)))
        _, body = await granted(engine)

    assert bool(RESULT.decode(body).images) is shown


async def test_what_a_hook_writes_in_place_of_a_result_has_no_images() -> None:
    payload = msgspec.structs.replace(payload_of(), guarded=True)
    hooks = answering(b'{"decision": "mutate", "value": "a drawing"}')
    one = tool(giving("drawn", image()))
    async with bench(tools=[one], registry=builtin_registry(), hooks=hooks) as b:
        engine = await b.engine.attached()
        engine.give(task(payload=payload, config=hooked(hook("post_tool_use"))))
        _, body = await granted(engine)

    result = RESULT.decode(body)
    assert (result.result, result.images) == ("a drawing", ())


@pytest.mark.parametrize(
    ("sign", "media_type"),
    [
        (PNG, "image/png"),
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (b"GIF87a", "image/gif"),
        (b"GIF89a", "image/gif"),
        (b"RIFF\0\0\0\0WEBP", "image/webp"),
    ],
)
def test_the_type_of_an_image_is_what_its_bytes_say(sign: bytes, media_type: str) -> None:
    assert image(sign=sign).media_type == media_type


@pytest.mark.parametrize("content", [b"", PNG, b"<svg></svg> and more", b"RIFF\0\0\0\0WAVEfmt "])
def test_what_not_every_provider_reads_is_no_image(content: bytes) -> None:
    assert read(b64encode(content).decode()) is None


def test_what_is_no_base64_is_no_image() -> None:
    assert read("iVBORw0KGgo*") is None
