"""Text of strangers as people and models may read it."""

import re
from typing import Final

_UNSEEN: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff"
    "\ufff9-\ufffb\U000e0000-\U000e007f]"
)


def shown(text: str) -> str:
    """Without control codes and without characters that a model reads and nobody sees."""
    return _UNSEEN.sub("", text)
