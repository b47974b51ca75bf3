"""Runs hooks: webhooks by the rules of `web_fetch`, commands in `bash`'s sandbox, functions."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final, TypeAlias

import msgspec
from bashkit import Bash

from mainspring_harness.calling import FunctionHook
from mainspring_kernel.clock import Clock, SystemClock
from mainspring_kernel.limits import KIB, MIB
from mainspring_schema import signing
from mainspring_schema.agents import NetworkAccess
from mainspring_schema.hooks import Hook, Verdict
from mainspring_schema.session_ends import SessionEnd
from mainspring_worker.adapters.builtin_tools.web.connecting import Refused, Unreachable
from mainspring_worker.adapters.builtin_tools.web.fetching import Fetcher
from mainspring_worker.domain.limits import HOOK_ANSWER_BYTES_MAX
from mainspring_worker.ports.hooks import HookFailed, HookRefused
from mainspring_workstream.exits import contained

Beside: TypeAlias = Callable[[Awaitable[Verdict | None]], Awaitable[Verdict | None]]
_LOG: Final = logging.getLogger(__name__)
_SUBJECT: Final = msgspec.json.Decoder(dict[str, object])
_INPUT: Final = "/hook/input.json"
_COMMANDS_MAX: Final = 100_000
"""A script that goes round in circles ends here, if its time is not over before."""
_MEMORY_BYTES_MAX: Final = 32 * MIB
_ERROR_SHOWN_CHARS: Final = KIB // 2
_OK: Final = range(200, 300)
_ONCE: Final = "Idempotency-Key"


class UserHooks:
    """A `HookRunner`."""

    def __init__(
        self,
        fetcher: Fetcher | None = None,
        clock: Clock | None = None,
        beside: Beside | None = None,
    ) -> None:
        """`beside` carries functions out where they keep no worker from beating."""
        self._fetcher = fetcher or Fetcher()
        self._clock = clock or SystemClock()
        self._beside = beside

    async def ask(
        self, hook: Hook, subject: bytes, network: NetworkAccess | None, secret: str | None = None
    ) -> bytes:
        """Raises HookFailed."""
        if isinstance(hook, FunctionHook):
            answer = await self._call(hook, subject)
        elif hook.type == "webhook":
            answer = await self._post(hook, subject, network, secret)
        else:
            # In a thread: a script that computes must not keep the worker from beating.
            answer = await asyncio.to_thread(_run, hook, subject)
        if len(answer) > HOOK_ANSWER_BYTES_MAX:
            message = f"the answer is over {HOOK_ANSWER_BYTES_MAX} bytes"
            raise HookFailed(message)
        return answer

    async def tell(self, end: SessionEnd, *, once: str) -> None:
        """Raises HookFailed."""
        headers = {_ONCE: once}
        if end.signature:
            headers[signing.HEADER] = end.signature
        await self._posted(end.url, end.body.encode(), end.network, headers)

    async def _call(self, hook: FunctionHook, subject: bytes) -> bytes:
        asked = hook.function(_SUBJECT.decode(subject))
        try:
            said = await (contained(asked) if self._beside is None else self._beside(asked))
            return b"" if said is None else msgspec.json.encode(said)
        except Exception as error:  # the code of people's own: whatever it raises is no answer
            _LOG.exception("a hook raised", extra={"hook": hook.id})
            message = f"the function raised {type(error).__name__}"
            raise HookFailed(message) from error

    async def _post(
        self, hook: Hook, subject: bytes, network: NetworkAccess | None, secret: str | None
    ) -> bytes:
        headers: dict[str, str] = {}
        if secret is not None:
            now_s = self._clock.wall_ms() // 1000
            headers[signing.HEADER] = signing.signature(secret, subject, now_s)
        return await self._posted(hook.url, subject, network, headers)

    async def _posted(
        self, url: str, subject: bytes, network: NetworkAccess | None, headers: dict[str, str]
    ) -> bytes:
        try:
            fetched = await self._fetcher.post(url, subject, network, headers)
        except Refused as error:
            raise HookRefused(str(error)) from error
        except Unreachable as error:
            raise HookFailed(str(error)) from error
        if fetched.status not in _OK:
            message = f"the webhook answered with status {fetched.status}"
            raise HookFailed(message)
        return fetched.body


def _run(hook: Hook, subject: bytes) -> bytes:
    return asyncio.run(_script(hook, subject))


async def _script(hook: Hook, subject: bytes) -> bytes:
    shell = Bash(
        username="agent",
        hostname="workspace",
        env={"EVERRUNS_HOOK_EVENT": hook.point, "EVERRUNS_HOOK_ID": hook.id},
        max_commands=_COMMANDS_MAX,
        max_loop_iterations=_COMMANDS_MAX,
        max_memory=_MEMORY_BYTES_MAX,
        timeout_seconds=hook.timeout_ms / 1000,
    )
    files = shell.fs()
    files.mkdir("/hook", recursive=True)
    files.write_file(_INPUT, subject)
    # Its own lines, so that a comment at the script's end closes the group all the same.
    ended = await shell.execute(
        f"{{\n{hook.command}\n}} < {_INPUT}", capture=HOOK_ANSWER_BYTES_MAX + 1
    )
    if ended.exit_code != 0 or ended.error:
        said = (ended.stderr or ended.error or "")[:_ERROR_SHOWN_CHARS]
        message = f"the command ended with {ended.exit_code}: {said}"
        raise HookFailed(message)
    return ended.stdout.encode()
