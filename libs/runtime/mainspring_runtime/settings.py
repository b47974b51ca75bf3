"""Settings: one frozen struct per service, read from the environment once, all mistakes at once.

A field `nats_url` is read from MAINSPRING_NATS_URL; the few foreign variables are mapped by
`FOREIGN`. An empty variable is an absent one, as compose files write them.
"""

import ipaddress
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import ClassVar, Final, Self, TypeVar

import msgspec

from mainspring_kernel.errors import MainspringError
from mainspring_runtime.server_urls import (
    PORT_MAX,
    flaw_of_database_url,
    flaw_of_nats_url,
    flaw_of_otlp_endpoint,
)

PREFIX: Final = "MAINSPRING_"
FOREIGN: Final[Mapping[str, str]] = {
    "otlp_endpoint": "OTEL_EXPORTER_OTLP_ENDPOINT",
    "semconv_opt_in": "OTEL_SEMCONV_STABILITY_OPT_IN",
    "capture_content": "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT",
}
S = TypeVar("S", bound=msgspec.Struct)


class Address:
    """`host:port`, where a client dials; for gRPC also several, with commas between.

    IPv6 hosts stand in brackets.
    """

    __slots__ = ("host", "port")

    def __init__(self, host: str, port: int) -> None:
        self.host = host
        self.port = port

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises ValueError with a sentence for the operator, for the first part that is none."""
        for part in text.split(","):
            host, colon, port = part.strip().rpartition(":")
            fit = host and colon and port.isascii() and port.isdigit()
            if not (fit and int(port) <= PORT_MAX):
                message = f"{part.strip()!r} is not host:port"
                raise ValueError(message)
        host, _, port = text.rpartition(":")
        return cls(host, int(port))

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self)!r})"

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and str(other) == str(self)

    def __hash__(self) -> int:
        return hash(str(self))


class Bind(Address):
    """`host:port`, where a server listens. Off loopback only where the operator says so."""

    __slots__: ClassVar[tuple[str, ...]] = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises ValueError also for several."""
        if "," in text:
            message = f"{text!r} is not one host:port"
            raise ValueError(message)
        return super().parse(text)


class BindHost(str):
    """A host alone, where a server listens; the same rule."""

    __slots__: ClassVar[tuple[str, ...]] = ()


class ProcessSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What every service reads. Each service's own struct extends it."""

    log_level: str = "INFO"
    insecure_bind: bool = False
    """Lets servers listen beyond this machine although nobody is authenticated yet."""
    trace_dir: Path | None = None
    """Where each process writes its spans as lines of JSON; none where unset."""
    trace_ratio: float = 1.0
    """Part of the traces that are recorded, from 0 to 1."""
    otlp_endpoint: str | None = None
    metrics_bind: Bind | None = None
    """Where `GET /metrics` answers a Prometheus; nowhere where unset."""
    semconv_opt_in: str = ""
    capture_content: str = "NO_CONTENT"

    def flaws(self) -> "list[Problem]":
        """What only the service itself can say of a value, told before anything opens."""
        return []


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """One variable that is wrong and why."""

    variable: str
    reason: str

    def __str__(self) -> str:
        return f"{self.variable}: {self.reason}"


class SettingsError(Exception):
    """The environment does not make valid settings; all problems at once."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems


def flaws_by(check: Callable[[str], object], field: str, text: str) -> list[Problem]:
    """What `check` raises of a value: ValueError, or an error of ours."""
    try:
        check(text)
    except (ValueError, MainspringError) as error:
        variable = variable_of(field)
        return [Problem(variable=variable, reason=str(error).removeprefix(f"{variable}: "))]
    return []


def load(struct: type[S], environment: Mapping[str, str]) -> S:
    """The settings. Raises SettingsError."""
    values: dict[str, object] = {}
    problems: list[Problem] = []
    for field in msgspec.structs.fields(struct):
        variable = variable_of(field.name)
        text = environment.get(variable, "").strip()
        if not text:
            if field.required:
                problems.append(Problem(variable=variable, reason="must be set"))
            continue
        try:
            values[field.name] = _convert(text, field)
        except (ValueError, msgspec.ValidationError) as error:
            problems.append(Problem(variable=variable, reason=_reason(error, text)))
    problems += _beyond_loopback(values)
    problems += _out_of_range(values)
    problems += _unreadable_urls(values)
    if problems:
        raise SettingsError(problems)
    settings = struct(**values)
    if isinstance(settings, ProcessSettings) and (flaws := settings.flaws()):
        raise SettingsError(flaws)
    return settings


def variable_of(field: str) -> str:
    """The environment variable of a field."""
    return FOREIGN.get(field) or PREFIX + field.upper()


def _convert(text: str, field: msgspec.structs.FieldInfo) -> object:
    type_: type[object] = field.type  # pyright: ignore[reportAny] -- msgspec gives it so
    return msgspec.convert(text, type_, strict=False, dec_hook=_decode)


def _decode(type_: type, value: object) -> object:
    text = str(value)
    if issubclass(type_, Address):
        return type_.parse(text)
    if issubclass(type_, BindHost):
        return type_(text.strip("[]"))
    if issubclass(type_, Path):
        return type_(text)
    message = f"settings cannot hold a {type_.__name__}"
    raise NotImplementedError(message)


def _reason(error: Exception, text: str) -> str:
    said = str(error)
    if isinstance(error, msgspec.ValidationError) and error.__cause__ is None:
        # The value of a secret must not reach a log; a number that is none, is no secret.
        plain = any(kind in said for kind in ("`int`", "`float`", "`bool`"))
        shown = f", got {text!r}" if plain else ""
        return said.partition(", got")[0].lower().replace("`", "") + shown
    return str(error.__cause__ or error)


def _beyond_loopback(values: Mapping[str, object]) -> list[Problem]:
    if values.get("insecure_bind") is True:
        return []
    return [
        Problem(
            variable=variable_of(name),
            reason=f"{value} is not on loopback, and nobody is authenticated yet; "
            f"set {PREFIX}INSECURE_BIND=1 where the network around it is private",
        )
        for name, value in values.items()
        if isinstance(value, Bind | BindHost) and not is_loopback(_host(value))
    ]


def _host(value: Bind | BindHost) -> str:
    return value.host if isinstance(value, Bind) else str(value)


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches `host`; other names are not looked up, so they are not."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _out_of_range(values: Mapping[str, object]) -> list[Problem]:
    ratio, level = values.get("trace_ratio", 1.0), values.get("log_level", "INFO")
    problems: list[Problem] = []
    if not (isinstance(ratio, float) and 0 <= ratio <= 1):
        problems.append(Problem(variable=variable_of("trace_ratio"), reason="must lie in 0 to 1"))
    if str(level).upper() not in _LEVELS:
        reason = f"must be one of {', '.join(_LEVELS)}"
        problems.append(Problem(variable=variable_of("log_level"), reason=reason))
    return problems


def _unreadable_urls(values: Mapping[str, object]) -> list[Problem]:
    found = (
        (name, check(str(values[name])))
        for name, check in (
            ("database_url", flaw_of_database_url),
            ("nats_url", flaw_of_nats_url),
            ("otlp_endpoint", flaw_of_otlp_endpoint),
        )
        if name in values
    )
    return [Problem(variable=variable_of(name), reason=flaw) for name, flaw in found if flaw]


_LEVELS: Final = ("DEBUG", "INFO", "WARNING", "ERROR")
