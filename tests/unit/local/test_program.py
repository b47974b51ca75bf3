from pathlib import Path

import pytest

from mainspring_local.embedded.postgres import Postgres


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("LOG:  database system is ready to accept connections", False),
        ("root@root FATAL:  the database system is starting up", False),
        ("x@x FATAL:  the database system is not yet accepting connections", False),
        ("root@root FATAL:  the database system is shutting down", False),
        ("FATAL:  could not write lock file: No space left on device", True),
        ("api_run@mainspring ERROR:  permission denied for table head", True),
    ],
)
def test_of_postgres_only_trouble_is_shown(
    line: str, shown: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)

    program = Postgres(folder=tmp_path, port=1, password="").program()

    assert program.shows(line) is shown
