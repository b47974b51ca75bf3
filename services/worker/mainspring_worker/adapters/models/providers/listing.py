"""Asks a provider for its list of models: a page after the other, each within its bounds."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Final, TypeAlias, assert_never
from urllib.parse import quote

import httpx2
import msgspec
from msgspec import Struct

from mainspring_kernel.limits import MIB
from mainspring_schema.discovery import FoundModel, FoundModels
from mainspring_worker.adapters.models.providers import errors, profiles
from mainspring_worker.adapters.models.providers.driver import BASE_URLS, DriverName
from mainspring_worker.adapters.models.providers.transport import WATCH, Watch
from mainspring_worker.domain.limits import PROVIDER_MODELS_MAX
from mainspring_worker.ports.failures import Kind, failure
from mainspring_worker.ports.model import ModelFailure, OfferRequest

_PAGE_BYTES_MAX: Final = 4 * MIB
"""The largest lists have some hundred models of a few KiB; more is no list of models."""
_PAGES_MAX: Final = 20
"""A list that goes on behind them goes round in circles: a page may hold a thousand models."""
_NAME_CHARS_MAX: Final = 200
"""As long as the catalogue takes a name."""
_ERROR: Final = 300
"""Redirects are not followed: the key would go along."""
_VERSION: Final = {"anthropic-version": "2023-06-01"}
_SILENT: Final = (
    "embedding", "whisper", "tts", "dall-e", "moderation", "realtime", "transcribe", "gpt-image",
    "sora", "gpt-audio", "babbage", "davinci",
)  # fmt: skip
"""What stands in the names of OpenAI's models that hold no conversation; its list does not say."""
_TALKING: Final = "generateContent"


class _Named(Struct, frozen=True, kw_only=True):
    id: str
    name: str | None = None


class _Page(Struct, frozen=True, kw_only=True):
    """OpenAI, and whoever is compatible."""

    data: list[_Named]


class _Claude(Struct, frozen=True, kw_only=True):
    id: str
    display_name: str | None = None


class _ClaudePage(Struct, frozen=True, kw_only=True):
    data: list[_Claude]
    has_more: bool = False
    last_id: str | None = None


class _Gemini(Struct, frozen=True, kw_only=True, rename="camel"):
    name: str
    display_name: str | None = None
    supported_generation_methods: tuple[str, ...] = (_TALKING,)
    output_token_limit: int | None = None


class _GeminiPage(Struct, frozen=True, kw_only=True, rename="camel"):
    models: list[_Gemini] = []
    next_page_token: str | None = None


_AnyPage: TypeAlias = _Page | _ClaudePage | _GeminiPage
_PAGES: Final[dict[DriverName, msgspec.json.Decoder[_AnyPage]]] = {
    "openai": msgspec.json.Decoder(_Page),
    "openai_completions": msgspec.json.Decoder(_Page),
    "anthropic": msgspec.json.Decoder(_ClaudePage),
    "gemini": msgspec.json.Decoder(_GeminiPage),
}


class _Entry(Struct, frozen=True, kw_only=True):
    """One model, whoever lists it."""

    model: str
    display_name: str | None
    talks: bool
    output_tokens: int | None = None


async def offered(
    name: DriverName, http: httpx2.AsyncClient, request: OfferRequest, headers: Mapping[str, str]
) -> FoundModels:
    """Raises ModelFailure."""
    secret = request.credentials.api_key if request.credentials else None
    total_ms = request.deadlines.total_ms
    watch = Watch(request.deadlines, {**headers, **(_VERSION if name == "anthropic" else {})})
    WATCH.set(watch)
    try:
        async with asyncio.timeout(total_ms / 1000):
            entries = [entry async for entry in _entries(name, http, request, secret)]
    except ModelFailure:
        raise
    except TimeoutError as error:
        raise failure(Kind.TIMEOUT, f"no whole list in {total_ms} ms") from error
    except Exception as error:
        # No exception of a library leaves a driver.
        raise errors.classify(error, started=False, secret=secret) from error
    finally:
        await watch.close()
    return _found(name, request, entries)


def _found(name: DriverName, request: OfferRequest, entries: list[_Entry]) -> FoundModels:
    once = {entry.model: entry for entry in entries}
    usable = [one for one in once.values() if one.talks and 0 < len(one.model) <= _NAME_CHARS_MAX]
    if len(usable) > PROVIDER_MODELS_MAX:
        message = f"the provider lists {len(usable)} models, at most {PROVIDER_MODELS_MAX} are kept"
        raise failure(Kind.BAD_OUTPUT, message)
    models = tuple(
        FoundModel(
            model=one.model,
            display_name=(one.display_name or one.model)[:_NAME_CHARS_MAX],
            profile=profiles.known(name, one.model, request, output_tokens=one.output_tokens),
        )
        for one in usable
    )
    return FoundModels(models=models, skipped=len(once) - len(usable))


async def _entries(
    name: DriverName, http: httpx2.AsyncClient, request: OfferRequest, secret: str | None
) -> AsyncIterator[_Entry]:
    base = (request.base_url or BASE_URLS[name]).rstrip("/")
    after: str | None = ""
    for _ in range(_PAGES_MAX):
        body = await _page(http, base + _path(name, after or ""), secret)
        try:
            page = _PAGES[name].decode(body)
        except msgspec.MsgspecError as error:
            message = f"the provider's list of models cannot be read: {error}"
            raise failure(Kind.BAD_OUTPUT, message) from error
        entries, after = _read(page)
        for entry in entries:
            yield entry
        if not after:
            return
    message = f"the provider's list goes on behind {_PAGES_MAX} pages"
    raise failure(Kind.BAD_OUTPUT, message)


def _path(name: DriverName, after: str) -> str:
    behind = quote(after, safe="")
    match name:
        case "openai" | "openai_completions":
            return "/models"
        case "anthropic":
            return "/v1/models?limit=1000" + (f"&after_id={behind}" if behind else "")
        case "gemini":
            return "/v1beta/models?pageSize=1000" + (f"&pageToken={behind}" if behind else "")
        case _:
            assert_never(name)


def _read(page: _AnyPage) -> tuple[list[_Entry], str | None]:
    """What a page lists, and where the next one begins."""
    match page:
        case _Page():
            return [
                _Entry(
                    model=one.id,
                    display_name=one.name,
                    talks=not any(word in one.id.lower() for word in _SILENT),
                )
                for one in page.data
            ], None
        case _ClaudePage():
            entries = [
                _Entry(model=one.id, display_name=one.display_name, talks=True) for one in page.data
            ]
            return entries, page.last_id if page.has_more else None
        case _GeminiPage():
            return [_of_gemini(one) for one in page.models], page.next_page_token
        case _:
            assert_never(page)


def _of_gemini(one: _Gemini) -> _Entry:
    return _Entry(
        model=one.name.removeprefix("models/"),
        display_name=one.display_name,
        talks=_TALKING in one.supported_generation_methods,
        output_tokens=one.output_token_limit,
    )


async def _page(http: httpx2.AsyncClient, url: str, secret: str | None) -> bytes:
    body = bytearray()
    async with http.stream("GET", url, headers={"accept": "application/json"}) as answer:
        async for chunk in answer.aiter_bytes():
            body += chunk
            if len(body) > _PAGE_BYTES_MAX:
                message = f"the provider's list has more than {_PAGE_BYTES_MAX} bytes"
                raise failure(Kind.BAD_OUTPUT, message)
    if answer.status_code >= _ERROR:
        after = answer.headers.get("retry-after", "")
        raise errors.refused(answer.status_code, bytes(body), secret=secret, retry_after=after)
    return bytes(body)
