import pytest

from mainspring_api.domain import paths
from mainspring_kernel.errors import ValidationFailed


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ("a/b", "/a/b"),
        ("/a/b", "/a/b"),
        ("/workspace/a", "/a"),
        ("/workspace", "/"),
        ("workspace/a", "/workspace/a"),
        ("/a/", "/a"),
        ("", "/"),
        ("/", "/"),
        ("/workspaces", "/workspaces"),
    ],
)
def test_a_path_has_one_spelling(given: str, path: str) -> None:
    assert paths.normalise(given) == path


@pytest.mark.parametrize(
    "given", ["..", "/a/../b", "a//b", "./a", "a/.", "a\x00b", "a\\b", "x" * 1025, "/workspace/.."]
)
def test_a_path_stays_inside(given: str) -> None:
    with pytest.raises(ValidationFailed):
        paths.normalise(given)


def test_ancestors_come_outermost_first() -> None:
    assert paths.ancestors("/a/b/c") == ("/a", "/a/b")
    assert paths.ancestors("/a") == ()
