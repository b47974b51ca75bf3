import msgspec
import pytest

from mainspring_kernel.errors import ValidationFailed
from mainspring_kernel.limits import FOREIGN_JSON_DEPTH_MAX
from mainspring_schema.codec import pack, read_foreign, to_json, write_foreign


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


@pytest.mark.parametrize(
    "value",
    [msgspec.msgpack.Ext(5, b"x"), {None: 1}, {"a": [{True: 1}]}],
    ids=["ext", "no key", "deep"],
)
def test_what_json_has_not_is_refused_by_name(value: object) -> None:
    with pytest.raises(ValidationFailed, match=r"^the result cannot be told as JSON: "):
        write_foreign(value, "the result")


def test_what_json_has_is_written() -> None:
    assert (
        write_foreign({"a": [1, float("nan"), {2: b"b"}]}, "it") == b'{"a":[1,null,{"2":"Yg=="}]}'
    )
