"""Edits by content hash: all of them or none, and never on something else than was meant."""

import pytest

from mainspring_api.domain.edits import apply, content_hash
from mainspring_kernel.errors import Conflict, PayloadTooLarge, ValidationFailed
from mainspring_schema.holdings import Edit

TEXT = b"one\ntwo\ntwo\nthree\n"
READ = content_hash(TEXT)


def test_edits_are_carried_out_in_order() -> None:
    edited = apply(TEXT, [Edit(old="one", new="1"), Edit(old="1\n", new="2\n")], expected=READ)

    assert edited == (b"2\ntwo\ntwo\nthree\n", 2, False)


def test_every_occurrence_is_replaced_only_where_asked() -> None:
    edited = apply(TEXT, [Edit(old="two", new="2", every=True)], expected=READ)

    assert edited.content == b"one\n2\n2\nthree\n"
    with pytest.raises(ValidationFailed, match="occurs 2 times"):
        apply(TEXT, [Edit(old="two", new="2")], expected=READ)


@pytest.mark.parametrize("old", ["", "four"])
def test_what_is_not_there_is_refused(old: str) -> None:
    with pytest.raises(ValidationFailed, match="edit 1"):
        apply(TEXT, [Edit(old=old, new="x")], expected=READ)


def test_an_edit_that_still_means_one_place_goes_through_on_a_changed_file() -> None:
    edited = apply(b"zero\none\n", [Edit(old="one", new="1")], expected=READ)

    assert edited == (b"zero\n1\n", 1, True)


@pytest.mark.parametrize(
    ("now", "every"), [(b"nothing of it", False), (b"one one", False), (b"one one", True)]
)
def test_an_edit_that_fits_a_changed_file_no_more_is_refused(now: bytes, every: bool) -> None:
    with pytest.raises(Conflict, match=content_hash(now)):
        apply(now, [Edit(old="one", new="1", every=every)], expected=READ)


def test_bytes_that_are_no_text_are_not_edited() -> None:
    with pytest.raises(ValidationFailed, match="UTF-8"):
        apply(b"\xff", [Edit(old="a", new="b")], expected=content_hash(b"\xff"))


def test_edits_that_would_make_a_text_too_large_are_refused_before_they_do() -> None:
    grow = Edit(old="a", new="a" * 600, every=True)

    with pytest.raises(PayloadTooLarge):
        apply(b"a", [grow] * 9, expected=content_hash(b"a"))  # 600 ** 9 bytes
