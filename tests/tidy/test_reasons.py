"""Every switched-off rule has its reason on the same line."""

import re

import pytest

from tests.tidy import tree

SWITCH = re.compile(
    r"(?:#|--|//)\s*(?:"
    r"noqa(?P<noqa>:\s*[A-Z0-9, ]+)?"
    r"|type:\s*ignore(?P<type>\[[\w\-, ]+\])?"
    r"|pyright:\s*(?:ignore(?P<pyright>\[\w[\w, ]*\])?|\w+=\w+)"
    r"|pragma:\s*no\s*cover(?P<cover>)"
    r"|squawk-ignore(?:-file)?(?P<squawk>\s+[a-z\-, ]+?)?"
    r"|sqlfluff:\s*noqa(?P<fluff>:\s*[A-Z0-9, ]+)?"
    r"|buf:lint:ignore(?P<buf>\s+[A-Z_]+)?"
    r"|hadolint\s+ignore=(?P<hadolint>[A-Z0-9,]+)"
    r"|yamllint\s+disable\S*(?P<yaml>\s+rule:\S+)?"
    r")(?P<rest>.*)$"
)
REASON_WORDS_MIN = 1


def unreasoned(path: str, text: str) -> list[str]:
    found: list[str] = []
    for number, line in enumerate(text.splitlines(), start=1):
        match = SWITCH.search(line)
        if match is None:
            continue
        # sqlfluff reads its switch only at the end of a comment, so there the reason precedes.
        before = line[: match.start()].partition("--")[2]
        reason = f"{before} {match['rest']}".strip(" -#—:")
        if len(reason.split()) < REASON_WORDS_MIN:
            found.append(f"{path}:{number}: {line.strip()}")
    return found


def test_every_exception_says_why() -> None:
    # This very file holds the examples.
    paths = tree.written(".py", ".sql", ".proto", ".yml", ".yaml", "Dockerfile")
    found = [
        finding
        for path in paths
        if not path.endswith("tidy/test_reasons.py")
        for finding in unreasoned(path, tree.text(path))
    ]

    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    "line",
    [
        "x = 1  # noqa",
        "x = 1  # noqa: S104",
        "x = 1  # type: ignore",
        "x = 1  # type: ignore[arg-type]",
        "x = 1  # pyright: ignore[reportAny]",
        "x = 1  # pragma: no cover",
        "select 1 -- noqa: RF04",
    ],
)
def test_a_bare_exception_is_found(line: str) -> None:
    assert unreasoned("x", line)


@pytest.mark.parametrize(
    "line",
    [
        "x = 1  # noqa: S104 -- compared only",
        "x = 1  # pyright: ignore[reportAny] -- asyncpg types its rows so",
        "limit 1 -- a step has one result -- noqa: AM09",
        "# A noqa in prose is no switch.",
    ],
)
def test_a_reasoned_exception_passes(line: str) -> None:
    assert not unreasoned("x", line)
