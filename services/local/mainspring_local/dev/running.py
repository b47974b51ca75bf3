"""The life of `mainspring dev`: start, one demo turn, stay, stop."""

import asyncio
from collections.abc import Awaitable, Callable

from mainspring_api.adapters.http.browsers import origins_of
from mainspring_api.adapters.http.elsewhere import hosts_of
from mainspring_api.main import provider_keys
from mainspring_harness.own import installed
from mainspring_kernel.errors import MainspringError
from mainspring_local import sockets
from mainspring_local.console import Console, LogFile, readable
from mainspring_local.dev import composition
from mainspring_local.environment import Settings
from mainspring_local.errors import BadEnvironment, StartProblem
from mainspring_local.home import Home
from mainspring_runtime import logs
from mainspring_runtime.lifecycle import Service
from mainspring_runtime.open_files import open_files
from mainspring_runtime.settings import ProcessSettings, SettingsError, load
from mainspring_runtime.telemetry import open_telemetry
from mainspring_runtime.watching import open_metrics

NAME = "dev"
STOP_SECONDS_MAX = 5.0
Stay = Callable[[], Awaitable[None]]


class LogLines:
    """Log lines as `up` keeps and shows them: whole in a file, readable on the console."""

    def __init__(self, file: LogFile, console: Console) -> None:
        self._file = file
        self._console = console

    def write(self, text: str) -> None:
        self._file.write(text.encode())
        self._console.line(NAME, readable(text.rstrip()))


async def run(settings: Settings, home: Home, console: Console, stay: Stay) -> int:
    """Everything in this process until `stay` returns, is cancelled, or a part of it fails."""
    sockets.require_free(settings.api_host, settings.api_port)
    process = process_settings(settings, home)
    file = LogFile(home.logs / f"{NAME}.log")
    logs.configure(NAME, process.log_level, LogLines(file, console))
    open_files()
    telemetry = open_telemetry(NAME, process)
    service = Service(NAME, telemetry)
    try:
        await start(service, settings, process)
        return await living(service, stay)
    finally:
        console.say("stopping")
        await stop(service)
        telemetry.close()
        console.say("stopped; what was in memory is gone")
        file.close()


def process_settings(settings: Settings, home: Home) -> ProcessSettings:
    """What every service reads, with spans under the home. Raises BadEnvironment."""
    environment = {"MAINSPRING_TRACE_DIR": str(home.traces)} | {
        name: value for name, value in settings.inherited.items() if value
    }
    try:
        return load(ProcessSettings, environment)
    except SettingsError as error:
        raise BadEnvironment([str(problem) for problem in error.problems]) from error


async def start(service: Service, settings: Settings, process: ProcessSettings) -> None:
    try:
        await open_metrics(service, process)
    except OSError as error:
        raise StartProblem(f"cannot listen on {process.metrics_bind}: {error.strerror}") from error
    try:
        await composition.start(
            service,
            provider_keys(settings.inherited),
            installed(settings.inherited.get("MAINSPRING_CAPABILITIES", "")),
            host=settings.api_host,
            port=settings.api_port,
            workers_port=sockets.free_or_any(sockets.engine_port(settings.api_port)),
            origins=origins_of(settings.inherited.get("MAINSPRING_CHANNEL_ORIGINS", "")),
            hosts=hosts_of(settings.inherited.get("MAINSPRING_API_HOSTS", "")),
            trace_ratio=process.trace_ratio,
        )
    except MainspringError as error:
        raise StartProblem(f"cannot start: {error.detail}") from error


async def living(service: Service, stay: Stay) -> int:
    staying = asyncio.ensure_future(stay())
    stopped = asyncio.create_task(service.until_stopped())
    try:
        await asyncio.wait({staying, stopped}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (staying, stopped):
            task.cancel()
        await asyncio.gather(staying, stopped, return_exceptions=True)
    if service.failure is not None:
        raise StartProblem(f"a part of the process failed: {service.failure!r}; its log is above")
    return 0


async def stop(service: Service) -> None:
    """Whatever hangs, the process ends: there is nothing to save."""
    try:
        async with asyncio.timeout(STOP_SECONDS_MAX):
            await service.close()
    except TimeoutError:
        return
