"""The OpenAPI document, as programs read it that make clients of it."""

import re
from collections.abc import Iterator

import msgspec
import pytest

from mainspring_api.adapters.http import openapi
from mainspring_api.adapters.http.app import all_routes
from mainspring_api.adapters.http.wire.conversation import StreamQuery

Json = dict[str, object]


class Operation(msgspec.Struct, rename={"id": "operationId"}):
    id: str
    responses: dict[str, Json]
    parameters: tuple[Json, ...] = ()
    security: tuple[Json, ...] = ()


class Components(msgspec.Struct, rename={"schemes": "securitySchemes"}):
    schemas: dict[str, Json]
    schemes: dict[str, Json]


class Document(msgspec.Struct):
    paths: dict[str, dict[str, Operation]]
    components: Components


@pytest.fixture(scope="module")
def document() -> Document:
    return msgspec.convert(openapi.document(all_routes(), StreamQuery), Document)


def members(document: Document) -> Iterator[tuple[str, dict[str, Json]]]:
    for name, schema in document.components.schemas.items():
        yield name, msgspec.convert(schema.get("properties", {}), dict[str, Json])


def test_components_have_names_that_no_file_gave_them(document: Document) -> None:
    names = [name for name in document.components.schemas if not re.fullmatch(r"\w+", name)]

    assert not names


def test_no_member_has_a_default_for_generators_take_it_for_one_that_is_there(
    document: Document,
) -> None:
    found = [
        f"{name}.{member}"
        for name, those in members(document)
        for member, schema in those.items()
        if "default" in schema
    ]

    assert not found


def test_what_an_answer_always_has_need_not_be_asked_for(document: Document) -> None:
    schemas = document.components.schemas

    assert "pending_questions" in str(schemas["CallerSession"]["required"])
    assert schemas["ToolCallPart"]["required"] == ["type", "id", "name", "arguments"]
    assert "retry_after_seconds" not in str(schemas["Problem"]["required"])
    assert "metadata" not in str(schemas["EventView"]["required"])
    assert schemas["MessageBody"]["required"] == ["message"]


def test_what_stands_for_a_member_that_is_left_out_is_told(document: Document) -> None:
    told = dict(members(document))["MessageBody"]["delivery"]["description"]

    assert told == '"steer" where it is left out.'


def test_no_two_members_have_one_name_in_languages_without_underscores(document: Document) -> None:
    for name, those in members(document):
        alike = [member.replace("_", "").lower() for member in those]
        assert len(alike) == len(set(alike)), name


def test_descriptions_are_not_indented_as_in_their_source(document: Document) -> None:
    told = [str(schema.get("description", "")) for schema in document.components.schemas.values()]

    assert not [text for text in told if "\n    " in text]


def test_the_operations_of_callers_say_how_a_caller_is_known(document: Document) -> None:
    for path, operations in document.paths.items():
        for operation in operations.values():
            named = {str(parameter["name"]) for parameter in operation.parameters}
            callers = path.startswith("/api/v1/channels/")
            assert bool(operation.security) == callers, operation.id
            assert ("End-User" in named) == callers, operation.id
            assert not callers or {"401", "403"} <= set(operation.responses), operation.id
    assert document.components.schemes["channel"]["scheme"] == "bearer"


def test_a_streamed_event_need_not_have_a_sequence(document: Document) -> None:
    answer = document.paths["/api/v1/sessions/{session_id}/sse"]["get"].responses["200"]
    schemas = document.components.schemas

    assert "#/components/schemas/StreamedEvent" in str(answer)
    assert "sequence" in str(schemas["EventView"]["required"])
    assert "sequence" not in str(schemas["StreamedEvent"]["required"])
