import pytest

from mainspring_kernel.limits import FOREIGN_JSON_DEPTH_MAX
from mainspring_schema.codec import pack, read_foreign, to_json


@pytest.mark.parametrize(
    "text",
    [
        '{"a": 100000000000000000000}',
        '{"a": [-9223372036854775809]}',
        '{"a": 1e999}',
        '{"a": "\\ud800"}',
        '{"a":' * 5000 + "1" + "}" * 5000,
        "[" * 100_000 + "]" * 100_000,
        "[" * (FOREIGN_JSON_DEPTH_MAX + 1) + "]" * (FOREIGN_JSON_DEPTH_MAX + 1),
        "{",
        "",
    ],
)
def test_what_could_not_be_written_again_is_not_read(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        read_foreign(text)


@pytest.mark.parametrize(
    "text",
    [
        '{"a":18446744073709551615}',
        '{"a":"12345678901234567890123"}',
        "[1e300]",
        '"\\u0000"',
        "[" * FOREIGN_JSON_DEPTH_MAX + "]" * FOREIGN_JSON_DEPTH_MAX,
        "[" + "[]," * FOREIGN_JSON_DEPTH_MAX + "1]",
    ],
)
def test_what_is_read_can_be_written(text: str) -> None:
    value = read_foreign(text)

    assert pack(value)
    assert read_foreign(to_json(value).decode()) == value
