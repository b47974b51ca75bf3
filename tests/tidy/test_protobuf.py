"""The protobuf that is asked for can load the stubs that are committed."""

import re
import tomllib
from typing import cast

from tests.tidy import tree

RPC = tree.ROOT / "libs" / "rpc"
MADE_WITH = re.compile(r"^# Protobuf Python Version: (\d+)\.(\d+)\.(\d+)$", re.MULTILINE)


def asked_for() -> tuple[int, ...]:
    document = tomllib.loads((RPC / "pyproject.toml").read_text())
    project = cast("dict[str, list[str]]", document["project"])
    (found,) = (one for one in project["dependencies"] if one.startswith("protobuf"))
    return tuple(int(part) for part in found.removeprefix("protobuf>=").split("."))


def test_the_lowest_protobuf_that_may_be_installed_loads_the_stubs() -> None:
    stubs = sorted((RPC / "mainspring_rpc" / "generated").rglob("*_pb2.py"))
    made_with = {
        tuple(int(part) for part in found.groups())
        for stub in stubs
        if (found := MADE_WITH.search(stub.read_text()))
    }

    assert stubs
    assert made_with
    assert max(made_with) <= asked_for()
