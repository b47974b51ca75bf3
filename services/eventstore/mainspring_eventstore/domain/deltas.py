"""What becomes of a streamed fragment: the rule that `log.append_deltas_v1` applies set-based."""

from collections.abc import Mapping

from msgspec import Struct, structs

from mainspring_eventstore.domain.limits import ANCHOR_CHARS_MAX, INT4_MAX
from mainspring_kernel import limits
from mainspring_kernel.errors import PayloadTooLarge, ValidationFailed
from mainspring_schema.grants import AppendVerdict, DeltaAppend


class OpenAnchor(Struct, frozen=True, kw_only=True):
    """A message or tool call that streams: its highest attempt and each channel's next offset."""

    attempt: int
    channels: Mapping[str, int] = {}


def judge(item: DeltaAppend, anchor: OpenAnchor | None) -> AppendVerdict:
    """`anchor` is None where it, its turn or its session is closed or was never opened."""
    if anchor is None or item.attempt < anchor.attempt:
        return AppendVerdict.STALE
    expected = anchor.channels.get(item.channel, 0)
    if item.attempt > anchor.attempt or item.offset > expected:
        return AppendVerdict.GAP
    if item.offset < expected or not item.fragment:
        return AppendVerdict.DUPLICATE
    return AppendVerdict.COMMITTED


def advanced(anchor: OpenAnchor, item: DeltaAppend) -> OpenAnchor:
    channels = {**anchor.channels, item.channel: item.offset + len(item.fragment)}
    return OpenAnchor(attempt=anchor.attempt, channels=channels)


def raised(anchor: OpenAnchor | None, attempt: int) -> OpenAnchor:
    """A higher attempt starts its channels again; a repeat of the same one changes nothing."""
    if anchor is not None and attempt <= anchor.attempt:
        return anchor
    return OpenAnchor(attempt=attempt)


def admitted(item: DeltaAppend) -> DeltaAppend:
    """The item as it may be stored. Raises ValidationFailed for one that nothing honest sends.

    Postgres keeps no NUL in texts; the replacement has the same length, so offsets hold. The
    completed event has the text as it was.
    """
    names = item.anchor + item.channel
    if not item.anchor or not item.channel or len(names) > ANCHOR_CHARS_MAX or "\0" in names:
        message = f"anchor and channel need 1 to {ANCHOR_CHARS_MAX} characters together"
        raise ValidationFailed(message)
    if not 1 <= item.attempt <= INT4_MAX or item.offset + len(item.fragment) > INT4_MAX:
        message = "attempt or offset is out of range"
        raise ValidationFailed(message)
    if item.reset and item.offset:
        message = "a reset starts at offset 0"
        raise ValidationFailed(message)
    if len(item.fragment.encode()) > limits.DELTA_FRAGMENT_BYTES_MAX:
        what = "a fragment"
        raise PayloadTooLarge(what, limits.DELTA_FRAGMENT_BYTES_MAX)
    if "\0" not in item.fragment:
        return item
    return structs.replace(item, fragment=item.fragment.replace("\0", "\ufffd"))
