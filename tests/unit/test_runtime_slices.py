"""Short slices are asked for once and inherited."""

import platform
import subprocess
import sys

import pytest

from mainspring_runtime.slices import SLICE_NS

TOLD_SINCE = (6, 12)
"""Kernels before it give everyone the same slice, and say so."""
_CHILD = """
import ctypes, platform, struct
attributes = ctypes.create_string_buffer(48)
number = {"x86_64": 315, "aarch64": 275}[platform.machine()]
assert ctypes.CDLL(None).syscall(number, 0, attributes, 48, 0) == 0
print(struct.unpack("IIQiIQQQ", attributes.raw)[5])
"""
_PARENT = f"""
import subprocess, sys
from mainspring_runtime import slices
slices.ask()
subprocess.run([sys.executable, "-c", {_CHILD!r}], check=True)
"""


def _kernel() -> tuple[int, ...]:
    if platform.system() != "Linux":
        return (0,)
    return tuple(int(part) for part in platform.release().split(".")[:2])


@pytest.mark.skipif(_kernel() < TOLD_SINCE, reason="this kernel has no slices of one's own")
def test_a_process_and_those_it_starts_have_short_slices() -> None:
    told = subprocess.run(
        [sys.executable, "-c", _PARENT], check=True, capture_output=True, text=True
    )

    assert int(told.stdout) == SLICE_NS
