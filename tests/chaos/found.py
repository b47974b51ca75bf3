"""What a run finds wrong, as it finds it."""

from collections import Counter
from typing import Final

KEPT_MAX: Final = 200
"""Sentences kept; all are counted."""


class Findings:
    """Broken promises by their kind."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.sentences: list[str] = []

    def add(self, kind: str, sentence: str) -> None:
        self.counts[kind] += 1
        if len(self.sentences) < KEPT_MAX:
            self.sentences.append(f"{kind}: {sentence}")
