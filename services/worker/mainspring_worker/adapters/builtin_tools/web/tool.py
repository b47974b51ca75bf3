"""`web_fetch`: a page as a model reads it."""

import asyncio
import re
from typing import Final

from html_to_markdown import (
    ConversionError,
    ConversionOptions,
    OutputFormat,
    convert,
)

from mainspring_kernel.limits import MIB
from mainspring_schema.messages import Json
from mainspring_worker.adapters.builtin_tools.function import Function, error
from mainspring_worker.adapters.builtin_tools.web.connecting import Refused, Unreachable
from mainspring_worker.adapters.builtin_tools.web.fetching import Fetched, Fetcher
from mainspring_worker.ports.tool import ToolContext, ToolOutcome

TEXT_CHARS_MAX: Final = 2 * MIB
"""Of a page as text; what is over the bound of an event is kept as a file besides."""
_CHARSET: Final = re.compile(r"charset=[\"']?([\w.:-]{1,40})", re.IGNORECASE)
_META: Final = re.compile(rb"<meta[^>]{0,200}charset=[\"']?([\w.:-]{1,40})", re.IGNORECASE)
_TEXTUAL: Final = ("text/", "application/json", "application/xml", "application/xhtml+xml")
_SHOWN_HEADERS: Final = ("content-type", "content-length", "last-modified", "etag", "location")


def web_fetch(fetcher: Fetcher) -> Function:
    """The tool over a fetcher."""

    async def fetch(arguments: Json, context: ToolContext) -> ToolOutcome:
        method = str(arguments.get("method", "GET"))
        try:
            fetched = await fetcher.fetch(str(arguments["url"]), method, context.network)
        except (Refused, Unreachable) as problem:
            return error(str(problem))
        result = _about(fetched)
        if method == "GET":
            # Seconds for a large page, and without the interpreter's lock.
            result |= await asyncio.to_thread(shown, fetched, arguments)
        return ToolOutcome(result=result)

    return fetch


def _about(fetched: Fetched) -> Json:
    headers = {name: fetched.headers[name] for name in _SHOWN_HEADERS if name in fetched.headers}
    return {"url": fetched.url, "status_code": fetched.status, "headers": headers}


def shown(fetched: Fetched, arguments: Json) -> Json:
    """An answer's body as the call wants it."""
    kind = fetched.headers.get("content-type", "text/plain").lower()
    if not kind.startswith(_TEXTUAL) and "+json" not in kind and "+xml" not in kind:
        return {"content": None, "note": f"not shown: {kind[:100]}, {len(fetched.body)} bytes"}
    text = _decoded(fetched.body, kind)
    markdown = arguments.get("as_markdown") is not False
    plain = arguments.get("as_text") is True
    content: Json = {"format": "raw", "content": text[:TEXT_CHARS_MAX]}
    if "html" in kind and (markdown or plain):
        try:
            content = _converted(text, plain=plain)
        except ConversionError:
            content["note"] = "the page could not be converted"
    if fetched.cut or len(text) > TEXT_CHARS_MAX:
        content |= {"truncated": True, "reason": "size_cap", "bytes_returned": len(fetched.body)}
    return content


def _converted(html: str, *, plain: bool) -> Json:
    options = ConversionOptions(
        output_format=OutputFormat.PLAIN if plain else OutputFormat.MARKDOWN,
        extract_metadata=False,
        skip_images=plain,
    )
    made = convert(html, options).content or ""
    return {"format": "text" if plain else "markdown", "content": made.strip()[:TEXT_CHARS_MAX]}


def _decoded(body: bytes, kind: str) -> str:
    found = _CHARSET.search(kind)
    named = found.group(1) if found else ""
    if not named:
        meta = _META.search(body[:2048])
        named = meta.group(1).decode() if meta else "utf-8"
    try:
        return body.decode(named, errors="replace")
    except LookupError:
        return body.decode(errors="replace")
