"""`web_fetch` against a site on loopback, which only these tests let it reach."""

import asyncio
import gzip
import ipaddress
from collections.abc import AsyncIterator, Sequence

import pytest

from mainspring_schema.agents import NetworkAccess
from mainspring_worker.adapters.builtin_tools.web import fetching
from mainspring_worker.adapters.builtin_tools.web.connecting import (
    Connector,
    Refused,
    Unreachable,
    parsed,
)
from mainspring_worker.adapters.builtin_tools.web.fetching import Fetched, Fetcher
from mainspring_worker.adapters.builtin_tools.web.tool import shown
from mainspring_worker.domain.addresses import Address, is_public
from tests.integration.web.site import Site, plain, redirect, site

PAGE = (
    "<html><head><title>T</title><script>evil()</script></head>"
    "<body><h1>Hi</h1><p>a <a href='/x'>link</a> &amp; more</p></body></html>"
)
LOOPBACK = ipaddress.ip_address("127.0.0.1")


class Names:
    """Says what a name means, in turn where there are several meanings."""

    def __init__(self, *meanings: Sequence[str]) -> None:
        self.meanings = list(meanings)
        self.asked: list[str] = []

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        del port
        self.asked.append(host)
        return self.meanings.pop(0) if len(self.meanings) > 1 else self.meanings[0]


def only_this_loopback(address: Address) -> bool:
    return address == LOOPBACK or is_public(address)


def fetcher(*meanings: Sequence[str]) -> Fetcher:
    names = Names(*(meanings or [("127.0.0.1",)]))
    return Fetcher(Connector(resolve=names, is_allowed=only_this_loopback))


@pytest.fixture
async def web() -> AsyncIterator[Site]:
    async with site() as made:
        yield made


async def get(web: Site, path: str, access: NetworkAccess | None = None) -> Fetched:
    return await fetcher().fetch(web.url(path), "GET", access)


async def test_a_page_is_read_as_markdown_text_or_as_it_is(web: Site) -> None:
    web.answers["/"] = plain(PAGE, kind="text/html; charset=utf-8")

    fetched = await get(web, "/")
    markdown, text, raw = (
        shown(fetched, {}),
        shown(fetched, {"as_text": True}),
        shown(fetched, {"as_markdown": False}),
    )
    assert (fetched.status, fetched.url) == (200, web.url("/"))
    assert markdown == {"format": "markdown", "content": "# Hi\n\na [link](/x) & more"}
    assert text == {"format": "text", "content": "Hi\n\na link & more"}
    assert raw == {"format": "raw", "content": PAGE}


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ("Grüße".encode("latin-1"), "text/plain; charset=ISO-8859-1"),
        ("<meta charset='latin1'>Grüße".encode("latin-1"), "text/html"),
        ("Grüße".encode(), "text/plain"),
        ("Grüße".encode(), "text/plain; charset=no-such"),
    ],
)
async def test_text_is_read_in_its_own_charset(web: Site, body: bytes, kind: str) -> None:
    web.answers["/"] = plain(body, kind=kind)

    assert "Grüße" in str(shown(await get(web, "/"), {})["content"])


async def test_what_is_no_text_is_only_described(web: Site) -> None:
    web.answers["/"] = plain(b"\x00" * 10, kind="image/png")

    told = shown(await get(web, "/"), {})
    assert told == {"content": None, "note": "not shown: image/png, 10 bytes"}


async def test_a_head_request_reads_no_body(web: Site) -> None:
    web.answers["/"] = plain("body")

    fetched = await fetcher().fetch(web.url("/"), "HEAD", None)
    assert (fetched.status, fetched.body) == (200, b"")
    assert web.asked[0].startswith("HEAD / HTTP/1.1\r\n")


async def test_redirects_are_followed_and_end(web: Site) -> None:
    web.answers |= {
        "/a": redirect("b?x=ü"),
        "/b?x=%C3%BC": plain("there"),
        "/loop": redirect("/loop"),
    }

    assert (await get(web, "/a")).body == b"there"
    with pytest.raises(Refused, match="redirects"):
        await get(web, "/loop")
    assert len([one for one in web.asked if "/loop" in one]) == fetching.REDIRECTS_MAX + 1


@pytest.mark.parametrize(
    "target",
    [
        "http://[::ffff:10.0.0.1]/",
        "http://metadata.test/",
        "file:///etc/passwd",
        "ftp://site.test/",
        "http://user:pass@site.test/",
        "http://site.test:22/",
        "//10.0.0.1/",
    ],
)
async def test_a_redirect_is_checked_like_a_url_of_its_own(web: Site, target: str) -> None:
    web.answers["/"] = redirect(target)
    reached = Fetcher(
        Connector(resolve=Names(("127.0.0.1",), ("10.0.0.1",)), is_allowed=only_this_loopback)
    )

    with pytest.raises(Refused):
        await reached.fetch(web.url("/"), "GET", None)
    assert len(web.asked) == 1


async def test_a_name_is_resolved_once_and_that_address_is_connected_to(web: Site) -> None:
    web.answers["/"] = plain("public")
    names = Names(("127.0.0.1",), ("10.0.0.1",))

    fetched = await Fetcher(Connector(resolve=names, is_allowed=only_this_loopback)).fetch(
        web.url("/"), "GET", None
    )
    assert fetched.body == b"public"
    assert names.asked == ["site.test"]
    assert f"Host: site.test:{web.port}" in web.asked[0]


@pytest.mark.parametrize("meaning", [["10.0.0.1"], ["93.184.216.34", "10.0.0.1"], []])
async def test_a_name_with_any_closed_address_is_refused(meaning: list[str]) -> None:
    connector = Connector(resolve=Names(meaning))

    with pytest.raises(Refused, match="no public host"):
        await Fetcher(connector).fetch("http://site.test/", "GET", None)


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "0177.0.0.1", "127.1", "[::1]", "0"]
)
async def test_loopback_is_refused_in_every_spelling(web: Site, host: str) -> None:
    with pytest.raises((Refused, Unreachable)):
        await Fetcher().fetch(web.url("/", host=host), "GET", None)

    assert web.asked == []


@pytest.mark.parametrize(
    ("access", "passes"),
    [
        (NetworkAccess(allowed=("*.test",)), True),
        (NetworkAccess(allowed=("other.test",)), False),
        (NetworkAccess(allowed=()), False),
        (NetworkAccess(blocked=("SITE.test",)), False),
    ],
)
async def test_the_agents_network_rules_are_obeyed(
    web: Site, access: NetworkAccess, passes: bool
) -> None:
    web.answers["/"] = plain("text")

    if passes:
        assert (await get(web, "/", access)).body == b"text"
        return
    with pytest.raises(Refused, match="network rules"):
        await get(web, "/", access)
    assert web.asked == []


async def test_a_body_is_read_up_to_its_bound(web: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "BODY_BYTES_MAX", 1000)
    bomb = gzip.compress(bytes(10_000_000))
    web.answers |= {
        "/long": plain("x" * 5000),
        "/bomb": plain(bomb, more="Content-Encoding: gzip\r\n"),
        "/packed": plain(gzip.compress(b"small"), more="Content-Encoding: gzip\r\n"),
        "/odd": plain(b"x", more="Content-Encoding: br\r\n"),
        "/broken": plain(b"no gzip", more="Content-Encoding: gzip\r\n"),
    }

    for path in ("/long", "/bomb"):
        fetched = await get(web, path)
        assert (len(fetched.body), fetched.cut) == (1000, True)
        assert shown(fetched, {})["truncated"] is True
    assert (await get(web, "/packed")).body == b"small"
    with pytest.raises(Refused, match="encoding"):
        await get(web, "/odd")
    with pytest.raises(Unreachable, match="broken"):
        await get(web, "/broken")


@pytest.mark.parametrize(
    "answer",
    [
        b"SSH-2.0-OpenSSH\r\n\r\n",
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 200_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ],
)
async def test_an_answer_that_is_none_is_told(web: Site, answer: bytes) -> None:
    web.answers["/"] = answer

    with pytest.raises(Unreachable):
        await get(web, "/")


async def gone(writer: asyncio.StreamWriter) -> None:
    """Waits until the test ends, and says nothing more."""
    del writer
    await asyncio.Event().wait()


async def test_a_silent_or_endless_site_is_left(web: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "FIRST_BYTE_S", 0.05)
    monkeypatch.setattr(fetching, "FETCH_S", 0.2)

    async def silent(writer: asyncio.StreamWriter) -> None:
        await gone(writer)

    async def endless(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        await writer.drain()
        await gone(writer)

    web.answers |= {"/silent": silent, "/endless": endless}
    with pytest.raises(Unreachable, match="within"):
        await get(web, "/silent")
    with pytest.raises(Unreachable, match="within"):
        await get(web, "/endless")


async def test_a_site_without_a_trusted_certificate_is_not_read(web: Site) -> None:
    with pytest.raises(Unreachable, match="connection"):
        await fetcher().fetch(web.url("/").replace("http:", "https:"), "GET", None)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "site.test",
        "http://",
        "javascript:alert(1)",
        "http://a b/",
        "http://[::1",
        "http://x:99999/",
    ],
)
def test_what_is_no_url_is_refused(url: str) -> None:
    with pytest.raises(Refused):
        parsed(url)


def test_the_switch_for_tests_is_off() -> None:
    assert (Connector.__init__.__kwdefaults__ or {})["is_allowed"] is is_public
