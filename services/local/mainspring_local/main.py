"""The `mainspring` command: parses the verb, wires it, answers with an exit status."""

import argparse
import asyncio
import errno
import random
import signal
import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from mainspring_local import (
    client,
    demo,
    down,
    environment,
    explain,
    home,
    organizations,
    recovery,
    replay,
    sockets,
    stack,
    trace,
    verify,
)
from mainspring_local.console import Console
from mainspring_local.errors import BadEnvironment, StartProblem
from mainspring_local.supervisor import Folders, Supervisor, end_orphans

BAD_SETTINGS_EXIT = 2
INTERRUPTED_EXIT = 130
DEMO_SECONDS_MAX = 120.0
Session = Callable[[stack.Stack, Supervisor, Console], Awaitable[int]]


class Arguments(argparse.Namespace):
    verb: str = ""
    provider: str | None = None
    kill_worker: bool = False
    session: str = ""
    turn: str = ""
    action: str = ""
    name: str = ""
    paths: Sequence[str] = ()
    id: str = ""
    step: str | None = None
    key: str | None = None
    build: str | None = None
    onto: str | None = None
    org: str = ""


Verb = Callable[[Arguments, environment.Settings, Console], int]


def main(arguments: Sequence[str] | None = None) -> int:
    parsed = parser().parse_args(arguments, namespace=Arguments())
    console = Console()
    try:
        settings = environment.read()
        return VERBS[parsed.verb](parsed, settings, console)
    except StartProblem as problem:
        for line in str(problem).splitlines():
            print(f"mainspring: {line}", file=sys.stderr)
        return BAD_SETTINGS_EXIT if isinstance(problem, BadEnvironment) else 1
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        print("mainspring: the disk is full; make room and start again", file=sys.stderr)
        return 1


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="mainspring", description="A whole stack on this machine.")
    verbs = top.add_subparsers(dest="verb", required=True, metavar="VERB")
    up = verbs.add_parser("up", help="start the stack, run one demo turn, stay")
    dev = verbs.add_parser("dev", help="the same in one process and in memory")
    shown = verbs.add_parser("demo", help="as up, but exit after the turn")
    for verb in (up, dev, shown):
        verb.add_argument("--provider", help="a real model (openai, anthropic, …); its key is set")
    shown.add_argument(
        "--kill-worker", action="store_true", help="kill the worker in the middle of its answer"
    )
    verbs.add_parser("migrate", help="apply the migrations")
    verbs.add_parser("down", help="stop the stack, also what a crashed one left behind")
    verified = verbs.add_parser("verify", help="ask every invariant, or check one session")
    traced = verbs.add_parser("trace", help="print the spans of a session or workflow as a tree")
    shown_id = "session_… or workflow_…, as the API shows it"
    verified.add_argument("session", nargs="?", default="", metavar="SESSION", help=shown_id)
    traced.add_argument("session", metavar="ID", help="session_…, turn_…, workflow_… or task_…")
    explained = verbs.add_parser("explain", help="why something does not move, and what to do")
    explained.add_argument(
        "id", metavar="ID", help="session_…, turn_…, workflow_…, task_… or exec_…"
    )
    replayed = verbs.add_parser(
        "replay", help="rebuild what a session's models were asked, and say what differs"
    )
    replayed.add_argument("session", metavar="SESSION", help=shown_id)
    replayed.add_argument("turn", nargs="?", default="", metavar="TURN", help="only of this turn")
    for verb in (explained, replayed):
        verb.add_argument("--org", default="", help="org_…, where it is not the default one")
    org = verbs.add_parser("org", help="organizations of the running stack")
    actions = org.add_subparsers(dest="action", required=True, metavar="ACTION")
    made = actions.add_parser("create", help="make one and print its id, which X-Org-Id selects")
    made.add_argument("name", metavar="NAME")
    actions.add_parser("list", help="print all with their ids")
    add_workflow(verbs.add_parser("workflow", help="workflows of the running stack"))
    return top


def add_workflow(flow: argparse.ArgumentParser) -> None:
    flows = flow.add_subparsers(dest="action", required=True, metavar="ACTION")
    checked = flows.add_parser(
        "check", help="replay recorded histories against the code at hand; no step is called"
    )
    checked.add_argument("paths", nargs="+", metavar="MODULE:NAME", help="a @workflow")
    forked = flows.add_parser(
        "fork", help="start a workflow with what another one recorded before a step"
    )
    forked.add_argument("id", metavar="ID", help="workflow_…, which stays as it is")
    forked.add_argument(
        "--step", default=None, metavar="PLACE", help='first step done anew, such as "3" or "2/1"'
    )
    forked.add_argument("--key", default=None, help="the same key finds the same fork")
    forked.add_argument("--build", default=None, help="only workers of this build work on it")
    forked.add_argument(
        "--onto", default=None, metavar="MODULE:NAME", help="the declared workflow that it runs on"
    )


def run_up(parsed: Arguments, settings: environment.Settings, console: Console) -> int:
    async def stay(ready: stack.Stack, supervisor: Supervisor, console: Console) -> int:
        await stack.start(ready, supervisor, console)
        await welcome(settings, ready.home, console, provider=parsed.provider, ready=ready)
        await asyncio.Event().wait()
        return 0

    return asyncio.run(owned(settings, console, stay, interrupted=0))


def run_dev(parsed: Arguments, settings: environment.Settings, console: Console) -> int:
    # Only here: the other verbs start services and need none of their code.
    from mainspring_local.dev import running  # noqa: PLC0415 - see above

    async def stay() -> None:
        await welcome(settings, folder, console, provider=parsed.provider)
        await asyncio.Event().wait()

    async def live() -> int:
        stopped = asyncio.Event()
        install_handlers(stopped)
        return await until(stopped, running.run(settings, folder, console, stay), interrupted=0)

    folder = home.Home(settings.home)
    folder.prepare()
    return asyncio.run(live())


async def welcome(
    settings: environment.Settings,
    folder: home.Home,
    console: Console,
    *,
    provider: str | None,
    ready: stack.Stack | None = None,
) -> None:
    """The demo turn, then where things are."""
    try:
        await demonstrate(settings, folder, console, provider=provider)
    except StartProblem as problem:
        # The stack itself is healthy: let the user look at it.
        console.say(f"the demo turn failed: {problem}")
    console.say(f"API      {settings.api_url}/api/v1")
    console.say(f"browse   {settings.api_url}/api-doc")
    if ready is not None:
        engine, shown = ready.address("engine"), ready.address("eventstore")
        console.say(f"workers  of your own attach at {engine} (MAINSPRING_ENGINE_ADDR)")
        console.say(f"         and show what tools write at {shown} (MAINSPRING_EVENTSTORE_ADDR)")
    console.say(f"logs     {folder.logs}")
    console.say("ready; Ctrl-C stops everything in order")


def run_demo(parsed: Arguments, settings: environment.Settings, console: Console) -> int:
    async def show(ready: stack.Stack, supervisor: Supervisor, console: Console) -> int:
        await stack.start(ready, supervisor, console)
        if parsed.kill_worker:
            return 0 if await survive(ready, supervisor, console, parsed.provider) else 1
        turn = await demonstrate(settings, ready.home, console, provider=parsed.provider)
        return 0 if turn.outcome == "turn.completed" else 1

    return asyncio.run(owned(settings, console, show))


async def survive(
    ready: stack.Stack, supervisor: Supervisor, console: Console, provider: str | None
) -> bool:
    worker = supervisor.child("worker")
    killer = recovery.KillWorker(
        lambda: worker.pid, recovery.reader(ready.reading_postgres), console
    )
    turn = await demonstrate(
        ready.settings,
        ready.home,
        console,
        provider=provider,
        watch=killer.watch,
        unhurried=True,
    )
    kept = await killer.report(turn.session_id)
    return kept and turn.outcome == "turn.completed"


async def unwatched(_event: client.Event) -> None:
    return


async def demonstrate(
    settings: environment.Settings,
    folder: home.Home,
    console: Console,
    *,
    provider: str | None,
    watch: demo.Watcher = unwatched,
    unhurried: bool = False,
) -> demo.Turn:
    try:
        async with client.Api(settings.api_url) as api, asyncio.timeout(DEMO_SECONDS_MAX):
            turn = await demo.run(api, console, provider=provider, watch=watch, unhurried=unhurried)
    except TimeoutError as error:
        raise StartProblem(
            f"the turn has no outcome after {DEMO_SECONDS_MAX:.0f} s; see {folder.logs}"
        ) from error
    console.say(f"session {turn.session_id}: {turn.outcome} after {turn.seconds:.2f} s")
    return turn


def run_migrate(_: Arguments, settings: environment.Settings, console: Console) -> int:
    async def servers_only(ready: stack.Stack, supervisor: Supervisor, console: Console) -> int:
        await asyncio.to_thread(ready.postgres.initialise)
        await supervisor.start([ready.postgres.program()])
        await stack.migrate(ready, console)
        console.say("migrations applied")
        return 0

    folder = home.Home(settings.home)
    if home.lock_owner(folder) is not None:
        # A running stack keeps its server; the migrations go there.
        asyncio.run(stack.migrate(stack.recorded(settings, folder), console))
        console.say("migrations applied")
        return 0
    return asyncio.run(owned(settings, console, servers_only, with_api=False))


def run_verify(parsed: Arguments, settings: environment.Settings, console: Console) -> int:
    running = stack.recorded(settings, home.Home(settings.home))
    if not parsed.session:
        url = running.reading_postgres.url()
        return 0 if asyncio.run(verify.everything(url, console)) else 1
    address = running.address("eventstore")
    return (
        0 if asyncio.run(verify.session(address, trace.session_of(parsed.session), console)) else 1
    )


def run_trace(parsed: Arguments, settings: environment.Settings, console: Console) -> int:
    folder = Path(settings.inherited.get("MAINSPRING_TRACE_DIR") or home.Home(settings.home).traces)
    spans = trace.of_one(trace.load(folder), parsed.session)
    if not spans:
        raise StartProblem(f"no span of {parsed.session} in {folder}")
    for row in trace.render(spans):
        console.raw(row)
    return 0


def run_org(parsed: Arguments, settings: environment.Settings, console: Console) -> int:
    if parsed.action == "create":
        asyncio.run(organizations.create(settings.api_url, parsed.name, console))
    else:
        asyncio.run(organizations.show(settings.api_url, console))
    return 0


def run_workflow(parsed: Arguments, settings: environment.Settings, console: Console) -> int:
    # Only here: the other verbs need nothing of what people import.
    from mainspring_local import workflows  # noqa: PLC0415 - see above

    if parsed.action == "fork":
        options = workflows.ForkOptions(parsed.step, parsed.key, parsed.build, parsed.onto)
        asyncio.run(workflows.fork(settings.api_url, parsed.id, options, console))
        return 0
    fits = asyncio.run(workflows.check_code(settings.api_url, parsed.paths, console))
    return 0 if fits else 1


def run_explain(parsed: Arguments, settings: environment.Settings, console: Console) -> int:
    asyncio.run(explain.show(settings.api_url, parsed.id, console, org=parsed.org))
    return 0


def run_replay(parsed: Arguments, settings: environment.Settings, console: Console) -> int:
    showing = replay.show(
        settings.api_url, parsed.session, console, turn=parsed.turn, org=parsed.org
    )
    return 0 if asyncio.run(showing) else 1


def run_down(_: Arguments, settings: environment.Settings, console: Console) -> int:
    return down.stop(home.Home(settings.home), console)


async def owned(
    settings: environment.Settings,
    console: Console,
    session: Session,
    *,
    with_api: bool = True,
    interrupted: int = INTERRUPTED_EXIT,
) -> int:
    """Runs `session` as the one owner of the home, and stops everything in order at its end."""
    stopped = asyncio.Event()
    install_handlers(stopped)
    folder = home.Home(settings.home)
    folder.prepare()
    lock, crashed = home.take_lock(folder)
    try:
        if crashed:
            console.say("the last stack here did not stop cleanly; tidying up after it")
        await asyncio.to_thread(end_orphans, folder.records, console.say)
        if with_api:
            sockets.require_free(settings.api_host, settings.api_port)
        ready = stack.prepare(settings, environment.project_root(), folder)
        folders = Folders(logs=folder.logs, records=folder.records)
        supervisor = Supervisor(folders, console, draw=random.random)
        try:
            return await until(
                stopped, session(ready, supervisor, console), interrupted=interrupted
            )
        finally:
            console.say("stopping")
            await supervisor.stop()
            console.say("stopped")
    finally:
        lock.release()


def install_handlers(stopped: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, stopped.set)


async def until(stopped: asyncio.Event, session: Awaitable[int], *, interrupted: int) -> int:
    """The session's status, or `interrupted` when a signal ended it first."""
    work = asyncio.ensure_future(session)
    signalled = asyncio.ensure_future(stopped.wait())
    await asyncio.wait({work, signalled}, return_when=asyncio.FIRST_COMPLETED)
    signalled.cancel()
    if work.done():
        return work.result()
    work.cancel()
    await asyncio.gather(work, return_exceptions=True)
    return interrupted


VERBS: dict[str, Verb] = {
    "up": run_up,
    "dev": run_dev,
    "demo": run_demo,
    "migrate": run_migrate,
    "down": run_down,
    "verify": run_verify,
    "trace": run_trace,
    "explain": run_explain,
    "replay": run_replay,
    "org": run_org,
    "workflow": run_workflow,
}
