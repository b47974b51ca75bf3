"""`bash` and `python`: at work on the session's files, and shut off from everything else."""

import asyncio
from pathlib import Path
from typing import cast

import pytest

from mainspring_schema.holdings import ChangeFiles, MakeDirectory, PutFile
from mainspring_schema.messages import Json
from mainspring_worker.adapters.builtin_tools.sandbox import tree
from mainspring_worker.adapters.builtin_tools.sandbox.tree import Tree
from tests.contract.worker.test_worker_files import HELD
from tests.unit.builtin_tools.calling import Caller

FILES = "session_file_system"
BOTH = ("bash", "python")
NOT_HERE = "mainspring-not-here"


async def bash(caller: Caller, commands: str, **more: object) -> Json:
    return await caller.result("bashkit_shell", "bash", commands=commands, **more)


async def python(caller: Caller, code: str, **more: object) -> Json:
    return await caller.result("python", "python", code=code, **more)


async def listed(caller: Caller) -> list[str]:
    found = await caller.result(FILES, "list_directory", recursive=True)
    return [str(one["path"]) for one in cast("list[Json]", found["entries"])]


@pytest.fixture
async def caller(caller: Caller) -> Caller:
    """With two files and an empty directory."""
    order = ChangeFiles(
        changes=(
            PutFile(path="/a.txt", content=b"hello\n"),
            PutFile(path="/src/b.bin", content=b"\x00\xff"),
            MakeDirectory(path="/empty"),
        )
    )
    await caller.resources.change(HELD, order, key="setup")
    return caller


async def test_a_shell_script_works_on_the_files_of_the_session(caller: Caller) -> None:
    ran = await bash(
        caller,
        "pwd; cat a.txt | tr a-z A-Z; echo oops >&2; cp src/b.bin c.bin; rm a.txt; rmdir empty; "
        "mkdir -p x/y; echo é > x/new; echo elsewhere > /tmp/z; exit 3",
    )

    copied = await caller.result(FILES, "read_file", path="c.bin")
    assert (ran["stdout"], ran["stderr"]) == ("/workspace\nHELLO\n", "oops\n")
    assert (ran["exit_code"], ran["success"]) == (3, False)
    assert copied["content"] == "AP8="
    assert await listed(caller) == [
        "/workspace/c.bin",
        "/workspace/src",
        "/workspace/src/b.bin",
        "/workspace/x",
        "/workspace/x/new",
        "/workspace/x/y",
    ]


async def test_a_program_works_on_the_files_of_the_session(caller: Caller) -> None:
    ran = await python(
        caller,
        "from pathlib import Path\n"
        "print(open('a.txt').read().upper())\n"
        "Path('c.bin').write_bytes(Path('src/b.bin').read_bytes())\n"
        "Path('a.txt').unlink()\n"
        "Path('x/y').mkdir(parents=True)\n"
        "{'sum': sum(range(10))}",
    )

    copied = await caller.result(FILES, "read_file", path="c.bin")
    assert (ran["stdout"], ran["exit_code"], ran["success"]) == ("HELLO\n\n", 0, True)
    assert ran["value"] == {"sum": 45}
    assert copied["content"] == "AP8="
    assert await listed(caller) == [
        "/workspace/c.bin",
        "/workspace/empty",
        "/workspace/src",
        "/workspace/src/b.bin",
        "/workspace/x",
        "/workspace/x/y",
    ]


async def test_what_a_program_wrote_before_its_error_is_kept(caller: Caller) -> None:
    ran = await python(caller, "open('c','w').write('1')\n1/0")

    assert (ran["exit_code"], ran["success"]) == (1, False)
    assert "ZeroDivisionError" in str(ran["stderr"])
    assert ran["files_changed"] == ["/workspace/c"]


@pytest.mark.parametrize("name", BOTH)
async def test_a_second_attempt_returns_what_the_first_one_did(caller: Caller, name: str) -> None:
    capability = {"bash": "bashkit_shell"}.get(name, name)
    wanted: Json = (
        {"commands": "echo more >> a.txt; cat a.txt"}
        if name == "bash"
        else {"code": "f = open('a.txt','a')\nf.write('more\\n')\nf.close()\nprint('x')"}
    )
    first = await caller.call(capability, name, wanted)

    again = await caller.call(capability, name, wanted, attempt_of=caller.calls)
    read = await caller.result(FILES, "read_file", path="a.txt")
    assert again == first
    assert read["content"] == "hello\nmore\n"


async def test_long_output_is_cut_and_kept_as_a_file(caller: Caller) -> None:
    ran = await bash(caller, "for i in $(seq 1 5000); do echo line $i; done")

    (path,) = cast("list[str]", ran["output_files"])
    grepped = await caller.result(FILES, "grep", pattern="^line 5000$", path="/outputs")
    assert len(str(ran["stdout"])) < 30_000
    assert (ran["truncated"], ran["total_lines"]) == (True, 5000)
    assert path.startswith("/workspace/outputs/call_")
    assert len(cast("list[Json]", grepped["matches"])) == 1


@pytest.mark.parametrize(
    "commands",
    [
        "while true; do :; done",
        "x=a; while true; do x=$x$x; done",
        "f() { f | f & }; f; wait",
        "sleep 60",
        "yes > /workspace/full",
    ],
)
async def test_a_script_that_never_ends_is_ended(caller: Caller, commands: str) -> None:
    ran = await bash(caller, commands, timeout_seconds=1)

    assert ran["success"] is False or "truncated" in str(ran["stderr"])


@pytest.mark.parametrize(
    "code",
    [
        "while True: pass",
        "x = 'a'\nwhile True: x = x + x",
        "import time\ntime.sleep(60)",
        "while True: print('x' * 1000)",
        "def f(n): return f(n + 1)\nf(0)",
        "while True: open('full', 'a').write('x' * 1000000)",
    ],
)
async def test_a_program_that_never_ends_is_ended(caller: Caller, code: str) -> None:
    ran = await python(caller, code, timeout_seconds=1)

    assert ran["success"] is False


async def test_a_script_that_is_cancelled_stops_and_changes_nothing(caller: Caller) -> None:
    running = asyncio.ensure_future(
        caller.call("bashkit_shell", "bash", {"commands": "echo x > new; sleep 60"})
    )
    await asyncio.sleep(0)
    running.cancel()

    with pytest.raises(asyncio.CancelledError):
        await running
    assert "/workspace/new" not in await listed(caller)


async def test_neither_sees_the_host(
    caller: Caller, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("MAINSPRING_SECRET_OF_THE_HOST", NOT_HERE)
    (tmp_path / "file").write_text(NOT_HERE)
    shell = await bash(caller, f"env; cat {tmp_path}/file /proc/self/environ /proc/1/environ")
    program = await python(
        caller,
        "import os\nprint(os.environ, os.listdir('/'))\n"
        f"try:\n    print(open('{tmp_path}/file').read())\nexcept OSError as e:\n    print(e)",
    )

    for ran in (shell, program):
        assert NOT_HERE not in str(ran)
        assert "No such file" in str(ran)


@pytest.mark.parametrize(
    "commands", ["curl http://127.0.0.1:9/", "wget http://127.0.0.1:9/", "echo > /dev/tcp/::1/9"]
)
async def test_a_script_has_no_network(caller: Caller, commands: str) -> None:
    ran = await bash(caller, commands)

    assert "refused" not in str(ran["stderr"])
    assert "connect" not in str(ran["stderr"]).lower()


@pytest.mark.parametrize("module", ["socket", "subprocess", "ctypes", "urllib.request"])
async def test_a_program_has_no_network_and_no_processes(caller: Caller, module: str) -> None:
    assert "ModuleNotFoundError" in str((await python(caller, f"import {module}"))["stderr"])


async def test_a_change_of_somebody_else_meanwhile_refuses_all(caller: Caller) -> None:
    before = await tree.load(caller.holdings().of(HELD, "key"))
    changed = tree.changes(before, Tree(files={"/a.txt": b"mine"}, directories=before.directories))

    assert [type(change).__name__ for change in changed] == ["RemoveFile", "PutFile"]
    put = changed[1]
    assert isinstance(put, PutFile)
    assert put.expected == tree.content_hash(b"hello\n")


async def test_more_than_one_order_can_hold_is_refused_as_a_whole(caller: Caller) -> None:
    ran = await python(caller, "open('big', 'wb').write(b'x' * 4000000)\nopen('c','w').write('1')")

    assert ran["success"] is False
    assert "no file was changed" in str(ran["error"])
    assert "/workspace/c" not in await listed(caller)


async def test_files_too_large_for_a_script_stay_and_are_named(
    caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tree, "TREE_BYTES_MAX", 3)

    ran = await bash(caller, "ls; echo 1 > c")
    assert ran["files_left_out"] == ["/workspace/a.txt"]
    assert "a.txt" not in str(ran["stdout"])
    assert "/workspace/a.txt" in await listed(caller)
