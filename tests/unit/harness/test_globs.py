import pytest

from mainspring_harness.globs import to_regex
from mainspring_harness.patterns import BadPattern, compiled


@pytest.mark.parametrize(
    ("pattern", "path", "fits"),
    [
        ("*.py", "a.py", True),
        ("*.py", "src/a.py", True),
        ("src/*.py", "src/a.py", True),
        ("src/*.py", "src/sub/a.py", False),
        ("src/**/*.py", "src/a.py", True),
        ("src/**/*.py", "src/x/y/a.py", True),
        ("/workspace/src/**", "src/x/y", True),
        ("./src/?.py", "src/a.py", True),
        ("src/?.py", "src/ab.py", False),
        ("[ab].txt", "a.txt", True),
        ("[!ab].txt", "a.txt", False),
        ("[!ab].txt", "c.txt", True),
        ("a[.txt", "a[.txt", True),
        ("a+b(c).txt", "a+b(c).txt", True),
        ("*.py", "a.pyc", False),
    ],
)
def test_a_path_fits_a_pattern(pattern: str, path: str, fits: bool) -> None:
    assert (compiled(to_regex(pattern)).search(path) is not None) is fits


def test_a_pattern_that_would_backtrack_for_hours_ends_at_once() -> None:
    assert compiled("^(a+)+$").search("a" * 50_000 + "b") is None


@pytest.mark.parametrize("pattern", ["(", r"(a)\1", "a{2000}"])
def test_what_is_no_expression_says_so(pattern: str) -> None:
    with pytest.raises(BadPattern, match=r"."):
        compiled(pattern)
