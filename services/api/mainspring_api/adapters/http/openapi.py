"""The OpenAPI document, made from the routes and the very structs that are decoded and encoded."""
# The document is free-form JSON, whose members nobody could type.
# pyright: reportAny=false, reportExplicitAny=false

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from mainspring_api.adapters.http import components, links
from mainspring_api.adapters.http.edge import JSON, NO_MEMBERS, PROBLEM, Problem, decode_body
from mainspring_api.adapters.http.routing import PARAMETER, PREFIX, NoBody, Route, TextBody
from mainspring_api.adapters.http.wire.conversation import STREAMED
from mainspring_api.domain import limits
from mainspring_kernel.errors import ValidationFailed
from mainspring_kernel.ids import Prefix

Json = dict[str, Any]
_REFS: Final = "#/components/schemas/{name}"
_SSE_PATH: Final = "/api/v1/sessions/{session_id}/sse"
_CALLER_SSE_PATH: Final = "/api/v1/channels/{channel_id}/sessions/{session_id}/sse"
_ENGINE_SSE_PATH: Final = "/api/v1/durable/sse"
_WORKFLOW_SSE_PATH: Final = "/api/v1/durable/workflows/{workflow_id}/sse"
_ALWAYS: Final = (400, 404, 429, 503)
"""Every route may answer these; 413, 415 and 422 only where a body is read."""
_BODIES: Final = (413, 415, 422)
_CALLERS: Final = (401, 403)
"""Who calls through a channel may show nothing that opens it, or speak for another."""
_CHANNELS: Final = f"{PREFIX}/channels/"
_BEARER: Final = "channel"
_LATER: Final = {429, 503}
_IDS: Final = {
    "session_id": Prefix.SESSION,
    "workspace_id": Prefix.WORKSPACE,
    "memory_id": Prefix.MEMORY,
    "channel_id": Prefix.CHANNEL,
    "key_id": Prefix.CHANNEL_KEY,
    "model_id": Prefix.MODEL,
    "provider_id": Prefix.PROVIDER,
    "org_id": Prefix.ORG,
    "worker_id": Prefix.WORKER,
    "schedule_id": Prefix.SCHEDULE,
    "execution_id": Prefix.SLOT,
}
"""Parameters that are ids and nothing else; agents and harnesses answer to their names too."""
_ORGANIZATION: Final[Json] = {
    "name": "X-Org-Id",
    "in": "header",
    "schema": {"type": "string", "pattern": f"^{Prefix.ORG}_[0-9a-f]{{32}}$"},
}
_END_USER: Final[Json] = {
    "name": "End-User",
    "in": "header",
    "schema": {"type": "string", "minLength": 1, "maxLength": limits.NAME_CHARS_MAX},
}
_RETRY_AFTER: Final[Json] = {"Retry-After": {"schema": {"type": "integer", "minimum": 1}}}
_STRUCTURED: Final = {JSON, "application/yaml"}
"""Where an answer's text is an object in one of these."""
_TITLES: Final = {
    200: "Done",
    201: "Created",
    204: "Done, nothing to say",
    400: "The request cannot be read",
    401: "Not authenticated",
    403: "Not permitted",
    404: "Not found",
    409: "The present state does not allow it",
    413: "Too large",
    501: "The server is not set up for it",
    415: "Unsupported media type",
    422: "A rule of the body is broken",
    429: "Too many requests",
    502: "Somebody behind the server failed",
    503: "Temporarily unavailable",
    504: "No answer in time",
}


def document(routes: Sequence[Route], sse_query: type[object]) -> Json:
    types = _types(routes)
    schemas, found = _schemas(types)
    by_type = dict(zip(map(id, types), schemas, strict=True))
    paths: dict[str, Json] = {}
    for route in routes:
        path = PARAMETER.sub(r"{\1}", route.path)
        paths.setdefault(path, {})[route.method.lower()] = _operation(
            route, by_type, links.of(route, routes)
        )
    stream = _stream(sse_query, {"anyOf": [by_type[id(one)] for one in STREAMED]})
    paths[_SSE_PATH] = {"get": stream}
    paths[_CALLER_SSE_PATH] = {"get": _caller_stream(stream)}
    paths[_WORKFLOW_SSE_PATH] = {"get": _workflow_stream(stream)}
    paths[_ENGINE_SSE_PATH] = {"get": _engine_stream(stream)}
    paths["/health"] = {"get": _health()}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Mainspring",
            "version": "1.0.0",
            "description": "Durable agent turns over REST and server-sent events.",
        },
        "security": [],
        "paths": paths,
        "components": {
            "schemas": components.tidied(found, answers=_answers(routes), bodies=_bodies(routes)),
            "securitySchemes": {_BEARER: _bearer()},
        },
    }


def _bearer() -> Json:
    described = "A key of the channel, or a runtime token that was made with one."
    return {"type": "http", "scheme": "bearer", "description": described}


def _schemas(types: Sequence[Any]) -> tuple[Sequence[Json], Json]:
    def hook(type_: type[object]) -> Json:
        if type_ is object:
            return {"description": "Any JSON value"}
        raise NotImplementedError

    schemas, named = msgspec.json.schema_components(types, schema_hook=hook, ref_template=_REFS)
    return tuple(schemas), named


def _types(routes: Sequence[Route]) -> list[Any]:
    return list(dict.fromkeys((*_answers(routes), *_bodies(routes))))


def _answers(routes: Sequence[Route]) -> list[Any]:
    named = [one for route in routes for one in (route.answer, route.or_answer)]
    return [Problem, *STREAMED, *(one for one in named if one is not None)]


def _bodies(routes: Sequence[Route]) -> list[Any]:
    return [route.body for route in routes if route.body not in {NoBody, TextBody}]


def _operation(route: Route, schemas: dict[int, Json], linked: Json) -> Json:
    operation: Json = {
        "operationId": route.operation_id,
        "summary": route.summary,
        "tags": [route.tag],
        "parameters": [
            *map(_path_parameter, route.parameters),
            *_headers(route),
            *_query(route.query),
        ],
        "responses": _responses(route, schemas, linked),
    }
    if _is_callers(route):
        operation["security"] = [{_BEARER: []}]
    if route.body is TextBody:
        text = {"text/plain": {"schema": {"type": "string"}}}
        operation["requestBody"] = {"required": True, "content": text}
    elif route.body is not NoBody:
        content = {JSON: {"schema": schemas[id(route.body)]}}
        operation["requestBody"] = {"required": _must_be_sent(route.body), "content": content}
    return operation


def _is_callers(route: Route) -> bool:
    return route.path.startswith(_CHANNELS)


def _must_be_sent(body: type[object]) -> bool:
    """Whether it has members that must be there; the door reads nothing as none of them."""
    try:
        decode_body(NO_MEMBERS, body, JSON)
    except ValidationFailed:
        return True
    return False


def _path_parameter(name: str) -> Json:
    return {"name": name, "in": "path", "required": True, "schema": _path_schema(name)}


def _path_schema(name: str) -> Json:
    prefix = _IDS.get(name)
    if prefix is None:
        return {"type": "string", "minLength": 1}
    return {"type": "string", "pattern": f"^{prefix}_[0-9a-f]{{32}}$"}


def _headers(route: Route) -> list[Json]:
    always = [_ORGANIZATION, _END_USER] if _is_callers(route) else [_ORGANIZATION]
    if route.method != "POST":
        return always
    schema = {"type": "string", "minLength": 1, "maxLength": limits.IDEMPOTENCY_KEY_CHARS_MAX}
    return [*always, {"name": "Idempotency-Key", "in": "header", "schema": schema}]


def _query(type_: type[object]) -> list[Json]:
    (schema,), named = _schemas([type_])
    resolved = named.get(type_.__name__, schema)
    required = set(resolved.get("required", ()))
    return [
        {
            "name": name,
            "in": "query",
            "required": name in required,
            "schema": _without_null(member),
        }
        for name, member in resolved.get("properties", {}).items()
    ]


def _without_null(schema: Json) -> Json:
    """A query has no null: a parameter is there or it is not."""
    schema = {key: value for key, value in schema.items() if key != "default"}
    kept = [one for one in schema.get("anyOf", ()) if one != {"type": "null"}]
    return kept[0] if len(kept) == 1 else {**schema, "anyOf": kept} if kept else schema


def _responses(route: Route, schemas: dict[int, Json], linked: Json) -> Json:
    statuses = {route.status, *(s for s in route.other_statuses if s < 400)}  # noqa: PLR2004 -- the class of a status
    found: Json = {}
    for status in sorted(statuses):
        answer: Json = {"description": _TITLES[status]}
        if route.answer is not None:
            answer["content"] = {
                media: {"schema": _answer(route, schemas, media)} for media in route.media_types
            }
        if linked:
            answer["links"] = linked
        found[str(status)] = answer
    failures = {*_ALWAYS, *(s for s in route.other_statuses if s >= 400)}  # noqa: PLR2004 -- the class of a status
    if route.body is not NoBody:
        failures |= set(_BODIES)
    if route.method == "POST":
        failures.add(409)
    if _is_callers(route):
        failures |= set(_CALLERS)
    for status in sorted(failures):
        found[str(status)] = problem_response(status)
    return found


def _answer(route: Route, schemas: dict[int, Json], media: str) -> Json:
    if route.answer is str and media in _STRUCTURED:
        return {"type": "object"}
    if route.or_answer is None:
        return schemas[id(route.answer)]
    return {"anyOf": [schemas[id(route.answer)], schemas[id(route.or_answer)]]}


def problem_response(status: int) -> Json:
    schema = {"$ref": _REFS.format(name=Problem.__name__)}
    answer: Json = {"description": _TITLES[status], "content": {PROBLEM: {"schema": schema}}}
    return answer | ({"headers": _RETRY_AFTER} if status in _LATER else {})


def _stream(query: type[object], frame: Json) -> Json:
    last = {"name": "Last-Event-ID", "in": "header", "schema": {"type": "string"}}
    described = "Events as they happen: `connected`, then history from the cursor, then live."
    return {
        "operationId": "stream_events",
        "summary": "The event stream of a session",
        "description": described,
        "tags": ["messages"],
        "parameters": [
            _path_parameter("session_id"),
            _ORGANIZATION,
            last,
            *_query(query),
        ],
        "responses": {
            "200": {
                "description": "A stream that stays open; the schema is that of one frame's data",
                "content": {"text/event-stream": {"schema": frame}},
            },
            **{str(status): problem_response(status) for status in _ALWAYS},
        },
    }


def _workflow_stream(like: Json) -> Json:
    others = like["parameters"][1:]
    nothing = {"description": "It has ended, and all of it was seen: do not come again"}
    return like | {
        "operationId": "stream_workflow_events",
        "summary": "The event stream of a workflow, up to its end",
        "tags": ["workflows"],
        "parameters": [_path_parameter("workflow_id"), *others],
        "responses": like["responses"] | {"204": nothing},
    }


def _caller_stream(like: Json) -> Json:
    refused = {str(status): problem_response(status) for status in _CALLERS}
    return like | {
        "operationId": "stream_caller_events",
        "summary": "The event stream of a caller's session",
        "tags": ["channels"],
        "security": [{_BEARER: []}],
        "parameters": [_path_parameter("channel_id"), *like["parameters"], _END_USER],
        "responses": like["responses"] | refused,
    }


def _engine_stream(like: Json) -> Json:
    whole = {"text/event-stream": {"schema": {"type": "object"}}}
    return like | {
        "operationId": "stream_engine",
        "summary": "The engine as it is, once a second where it changes",
        "description": "`connected`, then `snapshot` after `snapshot`; each is a whole.",
        "tags": ["durable"],
        "parameters": like["parameters"][1:3],
        "responses": like["responses"] | {"200": like["responses"]["200"] | {"content": whole}},
    }


def _health() -> Json:
    schema = {
        "type": "object",
        "required": ["status", "version"],
        "properties": {"status": {"const": "ok"}, "version": {"type": "string"}},
    }
    return {
        "operationId": "health",
        "summary": "Whether this process serves",
        "tags": ["health"],
        "responses": {"200": {"description": "It does", "content": {JSON: {"schema": schema}}}},
    }
