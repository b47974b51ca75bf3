"""Hooks for real: a webhook on loopback, which only these tests may reach, and a script."""

import hashlib
import hmac
import ipaddress
import json
from collections.abc import Sequence

import pytest
from msgspec import structs

from mainspring_harness.builtin.user_hooks import verdict
from mainspring_kernel.clock import ManualClock
from mainspring_schema.agents import NetworkAccess
from mainspring_schema.hooks import Hook
from mainspring_schema.session_ends import SessionEnd
from mainspring_worker.adapters.builtin_tools.web.connecting import Connector
from mainspring_worker.adapters.builtin_tools.web.fetching import Fetcher
from mainspring_worker.adapters.hooks import UserHooks
from mainspring_worker.domain.limits import HOOK_ANSWER_BYTES_MAX
from mainspring_worker.ports.hooks import HookFailed, HookRefused
from tests.integration.web.site import plain, redirect, site

LOOPBACK = ipaddress.ip_address("127.0.0.1")


async def here(host: str, port: int) -> Sequence[str]:
    del host, port
    return ("127.0.0.1",)


OPEN = UserHooks(Fetcher(Connector(resolve=here, is_allowed=lambda one: one == LOOPBACK)))
CLOSED = UserHooks(Fetcher(Connector(resolve=here)))


def webhook(url: str) -> Hook:
    return Hook(point="turn_end", type="webhook", id="h", url=url)


def script(command: str, timeout_ms: int = 5_000) -> Hook:
    return Hook(point="turn_end", type="command", id="h", command=command, timeout_ms=timeout_ms)


async def test_a_webhook_is_sent_the_subject_and_its_answer_read() -> None:
    async with site() as web:
        web.answers["/h"] = plain('{"decision": "block"}', kind="application/json")
        answer = await OPEN.ask(webhook(web.url("/h")), b'{"text": "x"}', None)

    assert verdict(answer).decision == "block"
    (head,) = web.asked
    assert head.startswith("POST /h ")
    assert "Content-Length: 13\r\n" in head


async def test_a_webhook_with_a_secret_is_signed_over_time_and_subject() -> None:
    clock, subject = ManualClock(wall_ms=1_700_000_000_500), b'{"text": "x"}'
    asking = UserHooks(
        Fetcher(Connector(resolve=here, is_allowed=lambda one: one == LOOPBACK)), clock
    )
    async with site() as web:
        web.answers["/h"] = plain("", kind="application/json")
        await asking.ask(webhook(web.url("/h")), subject, None, "key")
        await asking.ask(webhook(web.url("/h")), subject, None)

    signed, plain_one = web.asked
    digest = hmac.new(b"key", b"1700000000." + subject, hashlib.sha256).hexdigest()
    assert f"X-Mainspring-Signature: t=1700000000,v1={digest}\r\n" in signed
    assert "Signature" not in plain_one


async def test_the_news_of_an_end_go_out_as_they_were_signed() -> None:
    end = SessionEnd(url="", body='{"event": "session_end"}', hook_id="h", timeout_ms=1_000)
    async with site() as web:
        web.answers["/h"] = plain("", kind="application/json")
        signed = structs.replace(end, url=web.url("/h"), signature=f"t=1,v1={'a' * 64}")
        await OPEN.tell(signed, once="task_1")
        with pytest.raises(HookRefused, match="no public host"):
            await CLOSED.tell(signed, once="task_1")
        with pytest.raises(HookFailed, match="404"):
            await OPEN.tell(structs.replace(end, url=web.url("/none")), once="task_2")

    head, plain_one = web.asked
    assert "Idempotency-Key: task_1\r\n" in head
    assert "Idempotency-Key: task_2\r\n" in plain_one
    assert "Signature" not in plain_one
    assert f"X-Mainspring-Signature: t=1,v1={'a' * 64}\r\n" in head


async def test_a_webhook_inside_the_house_is_not_asked() -> None:
    async with site() as web:
        with pytest.raises(HookFailed, match="no public host"):
            await CLOSED.ask(webhook(web.url("/h")), b"{}", None)
        with pytest.raises(HookFailed, match="network rules"):
            await OPEN.ask(webhook(web.url("/h")), b"{}", NetworkAccess(allowed=("other.test",)))

    assert web.asked == []


async def test_what_is_no_success_is_a_failure_a_redirect_too() -> None:
    async with site() as web:
        web.answers["/moved"] = redirect("/h")
        web.answers["/large"] = plain("x" * (HOOK_ANSWER_BYTES_MAX + 1))
        for path, why in (("/moved", "302"), ("/none", "404"), ("/large", "over")):
            with pytest.raises(HookFailed, match=why):
                await OPEN.ask(webhook(web.url(path)), b"{}", None)

    assert len(web.asked) == 3


async def test_a_script_reads_the_subject_and_says_what_shall_be() -> None:
    hook = script("""jq -c '{decision: "mutate", value: (.text + "!")}' # done""")
    answer = await CLOSED.ask(hook, json.dumps({"text": "hi"}).encode(), None)

    assert (verdict(answer).decision, verdict(answer).value) == ("mutate", "hi!")


async def test_a_script_that_says_nothing_allows() -> None:
    assert verdict(await CLOSED.ask(script("true"), b"{}", None)).decision == "allow"


@pytest.mark.parametrize("command", ["exit 3", "while true; do :; done", "nonsense_command", "("])
async def test_a_script_that_fails_or_does_not_end_has_not_answered(command: str) -> None:
    with pytest.raises(HookFailed, match="the command ended with"):
        await CLOSED.ask(script(command, timeout_ms=2_000), b"{}", None)
