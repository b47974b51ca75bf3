"""The wrapper decides before anything is installed: what is the verb, and what must be brought."""

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from infra import bootstrap

TASK = bootstrap.ROOT / "task"


def test_arguments_follow_the_verb() -> None:
    assert bootstrap.split(["demo", "--kill-worker"]) == ("demo", ["--kill-worker"])


def test_the_integration_calls_what_the_readme_tells_people() -> None:
    script = (bootstrap.ROOT / ".ci" / "run").read_text(encoding="utf-8")
    readme = (bootstrap.ROOT / "README.md").read_text(encoding="utf-8")

    called = [line for line in script.splitlines() if line.startswith("./task")]

    assert called == ["./task test", "./task check"]
    assert all(line in readme for line in called)


def test_one_leading_dash_pair_is_swallowed() -> None:
    assert bootstrap.split(["test", "--", "-x", "--", "y"]) == ("test", ["-x", "--", "y"])


def test_a_relative_home_is_meant_from_where_the_user_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    environments = [{"MAINSPRING_HOME": "data"}, {"MAINSPRING_HOME": "/srv/data"}, {}]

    for environment in environments:
        bootstrap.keep_home(environment)

    assert environments == [
        {"MAINSPRING_HOME": str(tmp_path / "data")},
        {"MAINSPRING_HOME": "/srv/data"},
        {},
    ]


def test_no_verb_is_no_error() -> None:
    assert bootstrap.split([]) == ("", [])


@pytest.mark.parametrize(
    ("rest", "environment"),
    [
        (["--provider", "openai"], {}),
        (["--provider=anthropic"], {}),
        ([], {"OPENAI_API_KEY": "k"}),
        ([], {"DEFAULT_ANTHROPIC_API_KEY": "k"}),
    ],
)
def test_providers_are_brought_where_a_key_or_a_flag_asks(
    rest: list[str], environment: dict[str, str]
) -> None:
    assert bootstrap.wants_providers(rest, environment)


@pytest.mark.parametrize("environment", [{}, {"OPENAI_API_KEY": ""}, {"HOME": "/x"}])
def test_providers_are_not_brought_unasked(environment: dict[str, str]) -> None:
    assert not bootstrap.wants_providers(["--kill-worker"], environment)


def test_an_empty_folder_of_certificates_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "absent"))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
    assert not bootstrap.has_certificates()

    (tmp_path / "one.pem").touch()

    assert bootstrap.has_certificates()


def test_a_python_that_is_too_old_is_told_in_one_line(tmp_path: Path) -> None:
    old = tmp_path / "python3"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o700)
    environment = {"PATH": "/usr/bin:/bin", "MAINSPRING_PYTHON": str(old)}

    done = subprocess.run(
        ["/bin/sh", str(TASK), "up"], env=environment, capture_output=True, text=True, check=False
    )

    assert done.returncode == 1
    assert "needs Python 3.11, 3.12 or 3.13" in done.stderr
    assert done.stderr.count("\n") == 1


def test_the_wrapper_hands_over_to_the_named_python(tmp_path: Path) -> None:
    told = tmp_path / "told"
    named = tmp_path / "python"
    named.write_text(f'#!/bin/sh\n[ "$1" = -c ] || echo "$@" > {told}\n')
    named.chmod(0o700)
    environment = {**os.environ, "MAINSPRING_PYTHON": str(named)}

    subprocess.run(["/bin/sh", str(TASK), "demo", "--kill-worker"], env=environment, check=True)

    assert told.read_text().split() == [
        str(Path(bootstrap.__file__)),
        "demo",
        "--kill-worker",
    ]


def test_the_wrapper_uses_only_what_comes_with_python() -> None:
    checks = "import sys; sys.path = [p for p in sys.path if 'site-packages' not in p]"
    script = f"{checks}; import runpy; runpy.run_path({str(bootstrap.__file__)!r})"

    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", script], capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr


def test_verbs_find_their_programs_in_a_folder_with_a_space_in_its_name(tmp_path: Path) -> None:
    folder = tmp_path / "it's mine"
    folder.mkdir()
    shutil.copy(bootstrap.ROOT / "Taskfile.yml", folder)
    task = bootstrap.bring_tools() / "task"

    done = subprocess.run(
        [str(task), "--dir", str(folder), "--dry", "--verbose", "trace", "--", "a b"],
        # Task colours its output wherever CI is set.
        capture_output=True, text=True, check=True, env={**os.environ, "NO_COLOR": "1"},
    )  # fmt: skip

    (command,) = [line for line in done.stderr.splitlines() if line.startswith("task: [trace] ")]
    words = shlex.split(command.removeprefix("task: [trace] "))
    assert words == [str(folder / ".venv" / "bin" / "mainspring"), "trace", "a b"]
