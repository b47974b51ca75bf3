"""`Image`: what a tool returns for the model to look at."""

from base64 import b64encode
from typing import cast

from mainspring_schema.messages import ImagePart
from mainspring_workstream.pictures import media_type_of, named


class Image:
    """A PNG, JPEG, GIF or WebP, returned alone or as an item of a list or tuple.

    Raises ValueError for other content.
    """

    __slots__ = ("content", "media_type")

    def __init__(self, content: bytes) -> None:
        media_type = media_type_of(content)
        if media_type is None:
            message = "an image for a model is PNG, JPEG, GIF or WebP"
            raise ValueError(message)
        self.content = content
        self.media_type = media_type


def taken_out(value: object) -> tuple[object, tuple[ImagePart, ...]]:
    """What a tool returned with the names of its images in their places, and the images."""
    images = list[ImagePart]()

    def seen(item: object) -> object:
        if not isinstance(item, Image):
            return item
        encoded = b64encode(item.content).decode()
        images.append(ImagePart(base64=encoded, media_type=item.media_type))
        return named(item.media_type, len(item.content))

    if type(value) in {list, tuple}:  # a named tuple is an object of its own
        return [seen(item) for item in cast("list[object]", value)], tuple(images)
    return seen(value), tuple(images)
