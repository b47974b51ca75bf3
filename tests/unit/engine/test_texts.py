"""What is kept of others' texts."""

from mainspring_engine.domain import texts


def test_a_text_is_cut_between_characters() -> None:
    assert texts.cut("aé", 2) == "a"
    assert texts.cut("aé", 3) == "aé"


def test_no_column_takes_a_nul_so_none_is_kept() -> None:
    assert texts.error("no\0 file") == "no file"


def test_of_an_error_its_beginning_is_kept() -> None:
    assert texts.error("x" * 5_000) == "x" * texts.ERROR_BYTES_MAX
