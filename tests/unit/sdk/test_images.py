"""`Image`: what a tool returns for the model to look at."""

from base64 import b64encode
from typing import NamedTuple

import pytest

from mainspring import Image, Unserializable
from mainspring.images import taken_out
from mainspring.values import encode
from mainspring_schema.messages import ImagePart

PNG = b"\x89PNG\r\n\x1a\n and more"
PART = ImagePart(base64=b64encode(PNG).decode(), media_type="image/png")
NAMED = {"type": "image", "media_type": "image/png", "bytes": len(PNG)}


class Pair(NamedTuple):
    width: int
    height: int


@pytest.mark.parametrize(
    ("returned", "told", "images"),
    [
        (Image(PNG), NAMED, (PART,)),
        (["a chart", Image(PNG)], ["a chart", NAMED], (PART,)),
        ((Image(PNG), Image(PNG)), [NAMED, NAMED], (PART, PART)),
        ({"width": 1}, {"width": 1}, ()),
        (Pair(1, 2), Pair(1, 2), ()),
        ([1, 2], [1, 2], ()),
    ],
)
def test_images_are_taken_out_of_what_a_tool_returns(
    returned: object, told: object, images: tuple[ImagePart, ...]
) -> None:
    assert taken_out(returned) == (told, images)


def test_an_image_deeper_in_a_result_is_refused_and_not_written_as_numbers() -> None:
    with pytest.raises(Unserializable):
        encode(taken_out({"chart": Image(PNG)})[0])


def test_other_content_is_no_image() -> None:
    with pytest.raises(ValueError, match="PNG, JPEG, GIF or WebP"):
        Image(b"<svg></svg> and more")
