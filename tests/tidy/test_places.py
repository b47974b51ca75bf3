"""No committed file depends on one machine, one registry or one host of packages."""

import re
from pathlib import PurePosixPath
from urllib.parse import urlsplit

import pytest

from tests.tidy import tree

TEXT = (
    ".py", ".sql", ".proto", ".md", ".toml", ".yml", ".yaml", ".sh", ".txt", ".json", ".conf",
    ".cfg", "Dockerfile", "task", ".gitignore", ".gitattributes", "LICENSE", ".ci/run",
)  # fmt: skip

# Spelled in pieces: this file is searched too.
REGISTRIES = tuple(
    "".join(pieces)
    for pieces in (
        ("py", "pi"), ("python", "hosted"), ("npm", "js"), ("crates", ".io"), ("ghcr", ".io"),
        ("quay", ".io"), ("gcr", ".io"), ("docker", ".io"), ("mcr.micro", "soft"),
        ("arti", "factory"), ("dev", "pi"), ("proxy.go", "lang"), ("conda", "-forge"),
    )
)  # fmt: skip

HOSTS_ALLOWED = re.compile(
    r"^(localhost|127\.\d+\.\d+\.\d+|0\.0\.0\.0|\[?::1?\]?"  # this machine, whichever it is
    r"|(.+\.)?(example|invalid|test|localhost)(\.(com|org|net))?"  # reserved for examples
    r"|[a-z0-9-]+"  # a name without a dot: a service of the composed network
    r"|www\.apache\.org"  # the licence's own text
    r"|(.+\.)?(openai|anthropic|googleapis|schemastore)\.(com|org)"  # providers' own addresses
    r"|json-schema\.org"
    r"|opentelemetry\.io"  # schema addresses of its conventions, which identify and are not fetched
    r")$"
)

MACHINE_PATHS = re.compile(
    r"(?<![\w.$}/-])/(?:" + "|".join(("wo" + "rk", "ro" + "ot", "home/[a-z]", "Use" + "rs/"))
    + r")(?:/|\b)|\b[A-Z]:\\\\?Users"
)  # fmt: skip
URL = re.compile(r"\b[a-z]+://[^\s\"'<>)`\]}|\\]+")


def registries(path: str, text: str) -> list[str]:
    lines = enumerate(text.lower().splitlines(), start=1)
    return [
        f"{path}:{number}: names a package registry"
        for number, line in lines
        if any(name in line for name in REGISTRIES)
    ]


def machine_paths(path: str, text: str) -> list[str]:
    here = str(tree.ROOT)
    return [
        f"{path}:{number}: a path of one machine"
        for number, line in enumerate(text.splitlines(), start=1)
        if here in line or MACHINE_PATHS.search(line)
    ]


def hosts(path: str, text: str) -> list[str]:
    found: list[str] = []
    for number, line in enumerate(text.splitlines(), start=1):
        for url in tree.matches(URL, line):
            try:
                host = urlsplit(url).hostname or "localhost"
            except ValueError:  # a template such as //{host}:{port}, resolved when it is used
                continue
            if re.fullmatch(r"[\w.\[\]:-]+", host) and not HOSTS_ALLOWED.match(host):
                found.append(f"{path}:{number}: names the host {host}")
    return found


def searched() -> list[str]:
    return [path for path in tree.files() if path.endswith(TEXT)]


def test_no_file_names_a_registry() -> None:
    found = [finding for path in searched() for finding in registries(path, tree.text(path))]

    assert not found, "\n".join(found)


def test_no_file_holds_a_path_of_one_machine() -> None:
    found = [finding for path in searched() for finding in machine_paths(path, tree.text(path))]

    assert not found, "\n".join(found)


def test_no_file_names_a_host() -> None:
    found = [finding for path in searched() for finding in hosts(path, tree.text(path))]

    assert not found, "\n".join(found)


def test_what_only_one_machine_needs_is_not_committed() -> None:
    names = {PurePosixPath(path).name for path in tree.files()}

    assert not names & {"uv.lock", ".env", ".DS_Store"}


@pytest.mark.parametrize("name", REGISTRIES)
def test_a_registry_is_found(name: str) -> None:
    assert registries("x", f"index = {name}")


def test_a_machine_path_is_found() -> None:
    assert machine_paths("x", f"cd {tree.ROOT}")
    assert machine_paths("x", "cp /" + "root/.cache .")
    assert not machine_paths("x", "POST /api/v1/work and tests/root/x")


def test_a_host_is_found() -> None:
    assert hosts("x", "see https://" + "files.some-registry.io/x")
    assert not hosts("x", "postgres://engine_run@127.0.0.1:5432/mainspring nats://nats:4222")
