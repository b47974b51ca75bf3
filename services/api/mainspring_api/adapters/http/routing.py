"""Routes as values: what a route reads and answers is said once, for Litestar and for OpenAPI."""

import asyncio
import hashlib
import re
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, Generic, Literal, TypeVar

import msgspec
from litestar import HttpMethod, Response
from litestar.handlers import HTTPRouteHandler
from msgspec import Struct

from mainspring_api.adapters.http import edge
from mainspring_api.adapters.http.services import Services
from mainspring_api.domain.limits import JSON_BODY_BYTES_MAX
from mainspring_api.ports.store import RequestKey
from mainspring_api.usecases.once import Answer
from mainspring_kernel.errors import NotFound, Unavailable
from mainspring_kernel.ids import OrgId

PREFIX = "/api/v1"
_STRICT: Final = f"{PREFIX}/durable/"
_OLD_NAME: Final = f"{PREFIX}/durable/dlq"
PARAMETER: Final = re.compile(r"\{(\w+):(?:str|path)\}")
B_co = TypeVar("B_co", covariant=True)
Q_co = TypeVar("Q_co", covariant=True)
R = TypeVar("R")
Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]


class NoBody(Struct, frozen=True, kw_only=True):
    """Nothing is read; whatever is sent is ignored."""


class TextBody(Struct, frozen=True, kw_only=True):
    """A text as it came; whatever media type it says it has."""

    text: str


class NoQuery(Struct, frozen=True, kw_only=True):
    """No parameters are read."""


class Call(Struct, Generic[B_co, Q_co], frozen=True, kw_only=True):
    """One request, read and checked. `key` is there for a POST with an Idempotency-Key."""

    services: Services
    org_id: OrgId
    path: dict[str, str]
    query: Q_co
    body: B_co
    body_hash: bytes
    idempotency_key: str | None
    key: RequestKey | None
    now_ms: int
    request: edge.HttpRequest


class Reply(Struct, frozen=True, kw_only=True):
    """`media_type` and `headers` only where they are not those of JSON."""

    status: int = 200
    body: bytes = b""
    media_type: str = edge.JSON
    headers: dict[str, str] = {}


AnyCall = Call[Any, Any]  # pyright: ignore[reportExplicitAny] -- each handler knows its own two types
Handle = Callable[[AnyCall], Awaitable[Reply]]


class Route(Struct, frozen=True, kw_only=True):
    """What one method of one path reads and answers; `other_statuses` are those of its own."""

    method: Method
    path: str
    handle: Handle
    summary: str
    tag: str
    body: type[object] = NoBody
    query: type[object] = NoQuery
    answer: type[object] | None = None
    """None for no content."""
    or_answer: type[object] | None = None
    status: int = 200
    other_statuses: tuple[int, ...] = ()
    body_bytes_max: int = JSON_BODY_BYTES_MAX
    media_types: tuple[str, ...] = (edge.JSON,)
    """Of the answer; with any but JSON the answer is `str`."""
    suffix: str = ""
    """Tells one handler's routes apart."""

    @property
    def operation_id(self) -> str:
        return f"{getattr(self.handle, '__name__', 'operation')}{self.suffix}"

    @property
    def is_strict(self) -> bool:
        """Whether it refuses query parameters that it does not read.

        Clients of the other routes, which are older than ours, send more than is known here.
        """
        return self.path.startswith(_STRICT) and not self.path.startswith(_OLD_NAME)

    @property
    def parameters(self) -> tuple[str, ...]:
        """The names in its path, in their order."""
        return tuple(PARAMETER.findall(self.path))


class RouteTable:
    """The routes of one group."""

    def __init__(self, tag: str) -> None:
        self._tag = tag
        self.routes: list[Route] = []

    def route(  # noqa: PLR0913 -- one keyword per thing a route may say
        self,
        method: Method,
        path: str,
        *,
        body: type[object] = NoBody,
        query: type[object] = NoQuery,
        answer: type[object] | None = None,
        or_answer: type[object] | None = None,
        status: int = 200,
        other_statuses: tuple[int, ...] = (),
        body_bytes_max: int = JSON_BODY_BYTES_MAX,
        media_types: tuple[str, ...] = (edge.JSON,),
        suffix: str = "",
    ) -> Callable[[Handle], Handle]:
        def register(handle: Handle) -> Handle:
            self.routes.append(
                Route(
                    method=method,
                    path=PREFIX + path,
                    handle=handle,
                    summary=(handle.__doc__ or "").partition("\n")[0],
                    tag=self._tag,
                    body=body,
                    query=query,
                    answer=answer,
                    or_answer=or_answer,
                    status=status,
                    other_statuses=other_statuses,
                    body_bytes_max=body_bytes_max,
                    media_types=media_types,
                    suffix=suffix,
                )
            )
            return handle

        return register


def json_reply(value: object, *, status: int = 200, **headers: str) -> Reply:
    return Reply(status=status, body=msgspec.json.encode(value), headers=headers)


def reply_of(answer: Answer) -> Reply:
    return Reply(status=answer.status, body=answer.body)


def json_answer(value: object, *, status: int) -> Answer:
    return Answer(status=status, body=msgspec.json.encode(value))


# ── making handlers ─────────────────────────────────────────────────────────────────────────────


def handlers(routes: Sequence[Route], services: Services) -> list[HTTPRouteHandler]:
    organizations = KnownOrganizations(services)
    return [_handler(route, services, organizations) for route in routes]


class KnownOrganizations:
    """Organizations are never removed, so each is asked for once per process."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._known: set[OrgId] = set()

    async def check(self, org_id: OrgId) -> None:
        if org_id in self._known:
            return
        if not await self._services.store.organization_exists(org_id):
            msg = "no such organization"
            raise NotFound(msg)
        self._known.add(org_id)


def _handler(
    route: Route, services: Services, organizations: KnownOrganizations
) -> HTTPRouteHandler:
    async def answer(request: edge.HttpRequest) -> Reply:
        return await route.handle(await _read(route, services, organizations, request))

    async def handler(request: edge.HttpRequest) -> Response[bytes]:
        reply = await finished(answer(request))
        return Response(
            content=reply.body,
            status_code=reply.status,
            media_type=reply.media_type,
            headers=reply.headers,
        )

    return HTTPRouteHandler(
        route.path,
        http_method=HttpMethod(route.method),
        status_code=200,  # replies say theirs; Litestar would judge the annotation by its default
        name=route.operation_id,
        request_max_body_size=route.body_bytes_max,
        signature_namespace={"Response": Response, "edge": edge},
    )(handler)


async def finished(work: Awaitable[R]) -> R:
    """Raises Unavailable where the server leaves before: it cancels what it does not wait for."""
    try:
        return await work
    except asyncio.CancelledError:
        detail = "this server is leaving"
        raise Unavailable(detail) from None


async def _read(
    route: Route,
    services: Services,
    organizations: KnownOrganizations,
    request: edge.HttpRequest,
) -> AnyCall:
    headers = request.headers
    params: dict[str, object] = request.path_params
    if "path" in params:  # of a file, which may have any name
        edge.check_path(request.scope["path"], request.scope["raw_path"])
    org_id = edge.organization_of(headers)
    await organizations.check(org_id)
    raw_query = request.scope["query_string"]
    query = edge.decode_query(raw_query, route.query, strict=route.is_strict)
    # Also where none is wanted: a request that does not arrive whole must have done nothing.
    data = b"" if route.method == "GET" else await edge.read_body(request)
    body, told = _body(route, headers.get("content-type", ""), data)
    now_ms = services.clock.wall_ms()
    given_key = edge.request_key(headers) if route.method == "POST" else None
    body_hash = edge.canonical_hash(told) if given_key is not None else b""
    return Call(
        services=services,
        org_id=org_id,
        path={name: str(value) for name, value in params.items()},
        query=query,
        body=body,
        body_hash=body_hash,
        idempotency_key=given_key,
        key=_key(route, request, given_key, body_hash),
        now_ms=now_ms,
        request=request,
    )


def _body(route: Route, content_type: str, data: bytes) -> tuple[object, bytes]:
    """What is read, and the bytes that stand for it: who sends nothing has said what `{}` says."""
    if route.body is NoBody:
        return NoBody(), data
    if route.body is TextBody:
        return TextBody(text=edge.decode_text(data)), data
    if not data:  # of what type the nothing is tells nothing: curl calls it a form
        data, content_type = edge.NO_MEMBERS, edge.JSON
    return edge.decode_body(data, route.body, content_type), data


def _key(
    route: Route, request: edge.HttpRequest, given: str | None, body_hash: bytes
) -> RequestKey | None:
    if given is None:
        return None
    # Paths may be longer than an index key can be.
    path = hashlib.sha256(request.url.path.encode()).hexdigest()[:32]
    return RequestKey(route=f"{route.operation_id}:{path}", key=given, body_hash=body_hash)
