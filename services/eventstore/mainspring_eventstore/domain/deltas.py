"""What becomes of a streamed fragment: the rule that `log.append_deltas_v1` applies set-based."""

from collections.abc import Mapping

from mainspring_schema.grants import AppendVerdict, DeltaAppend
from msgspec import Struct


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
