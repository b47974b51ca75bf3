"""How much goes into one frame."""

from mainspring_kernel.limits import FRAME_BYTES_TARGET


class Room:
    """Of one frame: what comes first has it, however large it is; the rest, as long as it fits."""

    __slots__ = ("_empty", "_left")

    def __init__(self) -> None:
        self._left = FRAME_BYTES_TARGET
        self._empty = True

    def takes(self, size: int) -> bool:
        """Whether it goes in, which it then does."""
        if size > self._left and not self._empty:
            return False
        self._left -= size
        self._empty = False
        return True
