"""Settings: one frozen struct per service, read from the environment once, all mistakes at once.

A field `nats_url` is read from MAINSPRING_NATS_URL; the few foreign variables are mapped by
`FOREIGN`. An empty variable is an absent one, as compose files write them.
"""

import ipaddress
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar, Final, Self, TypeVar

import msgspec

PREFIX: Final = "MAINSPRING_"
FOREIGN: Final[Mapping[str, str]] = {
    "otlp_endpoint": "OTEL_EXPORTER_OTLP_ENDPOINT",
    "semconv_opt_in": "OTEL_SEMCONV_STABILITY_OPT_IN",
    "capture_content": "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT",
}
_PORT_MAX: Final = 65_535
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
        """Raises ValueError with a sentence for the operator."""
        host, colon, port = text.rpartition(":")
        if not (host and colon and port.isascii() and port.isdigit() and int(port) <= _PORT_MAX):
            message = f"{text!r} is not host:port"
            raise ValueError(message)
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
    if problems:
        raise SettingsError(problems)
    return struct(**values)


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
    if issubclass(type_, BindHost | Path):
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


_LEVELS: Final = ("DEBUG", "INFO", "WARNING", "ERROR")
