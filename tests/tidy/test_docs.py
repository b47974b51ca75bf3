"""What the documents say exists, exists; what must be documented, is."""

import ast
import re
from pathlib import PurePosixPath

import pytest

from mainspring_kernel import errors
from mainspring_worker.ports.failures import Kind
from tests.tidy import tree

CODE = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
PATH = re.compile(r"^(?:\./)?[\w.{},*<>-]+(?:/[\w.{},*<>-]*)+$|^[\w-]+\.(?:md|toml|yml|sql|py)$")
TOP = {PurePosixPath(path).parts[0] for path in tree.files()}
ERROR = re.compile(r"^### `[a-z0-9_]+` \(\d{3}\)$", re.MULTILINE)
ERRORS_MIN = 25
FAILURE = re.compile(r"\bFailure\(\s*error_class=\"[a-z_]+\",\s*code=\"([a-z_]+)\"")
FLAW = re.compile(
    r"\b(?:Flaw\(code=|error_code=|code = |(?:VERSION_CONFLICT|POISON|NO_PROGRESS): Final = )"
    r"\"([a-z_.]+)\""
)
CODE_OF_CALL = re.compile(r"[a-z]+(?:_[a-z]+)+")
SAYING = ("outcomes.error", "_refused", "_flawed", "Flaw")
"""What makes a result that says in a code why a call or a query came to nothing."""
_ENGINE = "services/engine/mainspring_engine/domain/"
FLAWED = ("libs/sdk/mainspring/", f"{_ENGINE}workflow/", f"{_ENGINE}loss.py")
WORD = re.compile(r"^\| (?!word \||-)")
WORDS_MIN = 50
SERVICES = ("api", "engine", "eventstore", "scheduler", "worker", "local")
README_PARTS = ("owns", "asks", "promises")


def documents() -> list[str]:
    return [path for path in tree.written(".md") if not path.startswith("changes/")]


def named_paths(text: str) -> list[str]:
    """Paths in code marks that start at the top of the tree; patterns and placeholders are none."""
    prose = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    found: list[str] = []
    for mark in tree.matches(CODE, prose, 1):
        path = mark.removeprefix("./").rstrip("/")
        literal = PATH.match(mark) and not re.search(r"[<>*{}]", mark)
        if literal and "/" in path and PurePosixPath(path).parts[0] in TOP:
            found.append(path)
    return found


def missing(paths: list[str]) -> list[str]:
    known = set(tree.files())
    folders = {parent.as_posix() for path in known for parent in PurePosixPath(path).parents}
    return [path for path in paths if path not in known and path not in folders]


def test_every_path_a_document_names_exists() -> None:
    found = [
        f"{document}: {path}"
        for document in documents()
        for path in missing(named_paths(tree.text(document)))
    ]

    assert not found, "\n".join(found)


def test_every_link_between_documents_leads_somewhere() -> None:
    found: list[str] = []
    for document in documents():
        folder = (tree.ROOT / document).parent
        found += [
            f"{document}: {target}"
            for target in tree.matches(LINK, tree.text(document), 1)
            if "://" not in target and not (folder / target).exists()
        ]

    assert not found, "\n".join(found)


def error_codes() -> dict[str, int]:
    """Code → status of every error class, wherever it stands; read, so that none is missed."""
    found: dict[str, int] = {}
    for path in tree.written(".py"):
        if path.startswith(("libs/", "services/")):
            for node in ast.walk(tree.module(path)):
                if isinstance(node, ast.ClassDef):
                    found |= declared(node)
    return found


def declared(node: ast.ClassDef) -> dict[str, int]:
    values: dict[str, object] = {}
    for statement in node.body:
        match statement:
            case (
                ast.Assign(targets=[ast.Name(id=name)], value=ast.Constant(value=value))
                | ast.AnnAssign(target=ast.Name(id=name), value=ast.Constant(value=value))
            ):
                values[name] = value
            case _:
                pass
    match values:
        case {"code": str(code), "status": int(status), "title": str()}:
            return {code: status}
        case _:
            return {}


def test_every_error_code_has_one_heading_with_its_status() -> None:
    headings = tree.matches(ERROR, tree.text("docs/errors.md"))

    assert sorted(headings) == sorted(
        f"### `{code}` ({status})" for code, status in error_codes().items()
    )


def failure_codes() -> set[str]:
    """What `Failure(code=…)` says anywhere, and the table of model failures."""
    found = {str(kind.code) for kind in Kind}
    for path in tree.written(".py"):
        if path.startswith(("services/", "libs/workstream/")):
            found |= set(tree.matches(FAILURE, tree.text(path), 1))
    return found


def test_every_code_of_a_failed_turn_is_explained() -> None:
    told = tree.text("docs/errors.md").partition("## Codes of turns that failed")[2]

    assert sorted(code for code in failure_codes() if f"`{code}`" not in told) == []


def flaw_codes() -> set[str]:
    """What the SDK and the engine call the failure of a step or a workflow."""
    return {
        code
        for path in tree.written(".py")
        if path.startswith(FLAWED)
        for code in tree.matches(FLAW, tree.text(path), 1)
    }


def test_every_code_of_a_failed_workflow_is_explained() -> None:
    after = tree.text("docs/errors.md").partition("## Codes of workflows that failed")[2]
    told = after.partition("\n## ")[0]

    codes = flaw_codes()

    assert {"step_failed", "unserializable", "poison", "version_conflict"} <= codes
    assert sorted(code for code in codes if f"`{code}`" not in told) == []


def said_codes() -> set[str]:
    """Of tools, queries and the engine's own tasks."""
    return {
        word.value
        for path in tree.written(".py")
        if path.startswith(("services/worker/", "libs/sdk/mainspring/"))
        for call in ast.walk(ast.parse(tree.text(path)))
        if isinstance(call, ast.Call) and ast.unparse(call.func) in SAYING
        for word in (*call.args, *(given.value for given in call.keywords))
        if isinstance(word, ast.Constant) and isinstance(word.value, str)
        if CODE_OF_CALL.fullmatch(word.value)
    }


def test_every_code_of_a_tool_or_a_query_is_explained() -> None:
    told = tree.text("docs/errors.md").partition("## Codes of turns that failed")[2]

    codes = said_codes()

    assert {"unknown_tool", "config_unusable", "unknown_query", "hook_failed"} <= codes
    assert sorted(code for code in codes if f"`{code}`" not in told) == []


def decided(row: str) -> list[str]:
    """Where a row of the glossary says that its word is decided."""
    return tree.matches(CODE, row.rstrip(" |").rpartition("|")[2], 1)


def is_precise(path: str) -> bool:
    """A file. A whole service or library is no answer to a reader who looks for a word."""
    return path in tree.files()


def test_every_word_of_the_glossary_leads_to_a_file() -> None:
    rows = [line for line in tree.text("docs/glossary.md").splitlines() if WORD.match(line)]

    found = [row for row in rows if not any(is_precise(path) for path in decided(row))]

    assert len(rows) >= WORDS_MIN
    assert not found, "\n".join(found)


def test_a_word_that_leads_to_a_whole_service_is_found() -> None:
    assert not is_precise(decided("| flight | one batch | `services/engine` |")[0])
    assert is_precise(decided("| house | where rules live | `tests/tidy/tree.py` |")[0])


def test_reading_the_classes_finds_what_they_register() -> None:
    read = error_codes()

    assert len(read) >= ERRORS_MIN
    assert {code: cls.status for code, cls in errors.registry().items()}.items() <= read.items()


@pytest.mark.parametrize("service", SERVICES)
def test_every_service_says_what_it_owns_asks_and_promises(service: str) -> None:
    text = tree.text(f"services/{service}/README.md").lower()

    for part in README_PARTS:
        assert re.search(rf"^(#+\s*|\*\*)?{part}\b", text, re.MULTILINE), f"{service}: {part}"


def test_every_decision_has_a_date_a_status_and_its_alternatives() -> None:
    records = [path for path in documents() if re.match(r"docs/adr/\d{4}-", path)]

    assert records
    for path in records:
        text = tree.text(path)
        for part in ("Date:", "Status:", "## Context", "## Decision", "## Consequences"):
            assert part in text, f"{path}: {part}"
        assert "## Alternatives" in text, f"{path}: ## Alternatives"


def test_a_path_that_does_not_exist_is_found() -> None:
    assert missing(named_paths("see `tests/tidy/nowhere.py` and `docs/nothing/`"))
    assert not missing(
        named_paths("see `tests/tidy/test_docs.py`, `tests/` and `services/<name>/x`")
    )
