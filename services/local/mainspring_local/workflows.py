"""`mainspring workflow check MODULE:NAME …`: would the code at hand go on with what is recorded?

`mainspring workflow fork ID`: begin anew from a step on, with the code that workers have now.
"""

import sys
from collections.abc import Sequence
from importlib import import_module
from typing import NamedTuple, cast

import httpx

from mainspring import Client, Handle, Workflow
from mainspring.checking import check
from mainspring.errors import ApiError
from mainspring_local.console import Console
from mainspring_local.errors import StartProblem


async def check_code(url: str, paths: Sequence[str], console: Console) -> bool:
    """Prints each history with the first step that differs. Raises StartProblem."""
    workflows = [found(path) for path in paths]
    try:
        async with Client(url) as client:
            findings = await check(client, workflows)
    except (ApiError, httpx.HTTPError) as error:
        raise StartProblem(f"cannot read histories from {url}: {error}") from error
    for finding in findings:
        told = finding.problem or finding.note or "fits"
        console.raw(f"{finding.id}  {finding.status:<9} {finding.steps:>5} steps  {told}")
    differing = sum(bool(finding.problem) for finding in findings)
    console.say(f"{len(findings)} histories, {differing} differ")
    return differing == 0


class ForkOptions(NamedTuple):
    """As of `Client.fork`."""

    step: str | None
    key: str | None
    build: str | None
    onto: str | None
    """MODULE:NAME of the declared workflow that it is to run on."""


async def fork(url: str, id_: str, options: ForkOptions, console: Console) -> None:
    """Prints the id of the fork. Raises StartProblem."""
    onto = None if options.onto is None else found(options.onto)
    try:
        async with Client(url) as client:
            forked: Handle[object] = await client.fork(
                id_, onto, step=options.step, key=options.key, build=options.build
            )
    except (ApiError, httpx.HTTPError) as error:
        raise StartProblem(f"cannot fork {id_}: {error}") from error
    console.raw(forked.id)


def found(path: str) -> "Workflow[..., object]":
    """Raises StartProblem where there is no such workflow."""
    module, _, name = path.partition(":")
    sys.path.insert(0, "")
    try:
        value = cast("object", getattr(import_module(module), name))
    except (ImportError, AttributeError, ValueError) as error:
        raise StartProblem(f"cannot find {path}: {error}; give it as MODULE:NAME") from error
    if not isinstance(value, Workflow):
        raise StartProblem(f"{path} is no @workflow")
    return value
