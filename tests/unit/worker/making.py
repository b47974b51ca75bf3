"""Short ways to the structs that worker tests need."""

from uuid import UUID

from mainspring_schema.agents import EffectClass, ModelChoice, RuntimeAgent, encode_runtime_agent
from mainspring_schema.codec import pack
from mainspring_schema.events import Context, ReasonStarted, StoredEvent, draft
from mainspring_schema.frames import Attached, Config, Held, Task, ToWorker
from mainspring_schema.messages import Message, TextPart
from mainspring_schema.tasks import ReasonTask, TaskPayload, ToolTask
from mainspring_workstream.core import WorkerCore
from mainspring_workstream.identity import Identity

ORG = UUID(int=1)
SESSION = UUID(int=2)
TURN = UUID(int=3)
MESSAGE = UUID(int=4)
CONFIG_HASH = b"c" * 32
ANCHOR = f"message_{MESSAGE.hex}"
LEASE_MS = 10_000


def held(number: int = 1, fence: int = 1) -> Held:
    return Held(UUID(int=100 + number), fence)


def identity(slots: int = 4) -> Identity:
    return Identity(
        incarnation=UUID(int=9),
        name="worker-1",
        build="1",
        queues=("default",),
        capabilities=("",),
        slots=slots,
    )


def tool_payload(
    name: str = "echo",
    *,
    effect_class: EffectClass = "pure",
    arguments: object = None,
) -> ToolTask:
    return ToolTask(
        turn_id=TURN,
        iteration=1,
        index=0,
        call_id="call_1",
        name=name,
        arguments={} if arguments is None else arguments,
        effect_class=effect_class,
        capability_id=None,
        idempotency_key="key",
        config_hash=CONFIG_HASH,
    )


def reason_payload(*, through_seq: int = 3) -> ReasonTask:
    return ReasonTask(
        turn_id=TURN,
        iteration=1,
        message_id=MESSAGE,
        through_seq=through_seq,
        config_hash=CONFIG_HASH,
    )


def task(
    of: Held | None = None,
    payload: TaskPayload | None = None,
    *,
    config: Config | None = None,
    tail: tuple[StoredEvent, ...] = (),
) -> Task:
    return Task(
        held=of or held(),
        session_id=SESSION,
        org_id=ORG,
        traceparent="00-0000000000000000000000000000000a-000000000000000b-01",
        payload=pack(payload or tool_payload()),
        config=config,
        tail=tail,
    )


def agent(driver: str = "fake") -> RuntimeAgent:
    return RuntimeAgent(
        harness_id="harness_1",
        system_prompt="Be brief.",
        model=ModelChoice(
            model_id="model_1", model="fake-1", provider_id="p", driver=driver, provider="fake"
        ),
        max_iterations=5,
    )


def config(driver: str = "fake") -> Config:
    return config_of(agent(driver))


def config_of(who: RuntimeAgent) -> Config:
    return Config(hash=CONFIG_HASH, body=encode_runtime_agent(who))


def event(seq: int, type_: str, data: object) -> StoredEvent:
    return StoredEvent(seq, type_, 1_700_000_000_000 + seq, draft(type_, Context(), data).payload)


def history(text: str = "hello") -> tuple[StoredEvent, ...]:
    """A session up to its first model call: positions 1 to 3."""
    message = Message(
        id="message_in",
        role="user",
        content=(TextPart(text=text),),
        created_at="2026-01-01T00:00:00.000Z",
    )
    started = ReasonStarted(harness_id="harness_1", consumed=("message_in",))
    return (
        event(1, "input.message", {"message": message}),
        event(2, "reason.started", started),
        event(3, "output.message.started", {"turn_id": "t"}),
    )


def attached_core(slots: int = 4, now: float = 0.0) -> WorkerCore:
    core = WorkerCore(identity(slots))
    core.open_stream(now)
    core.receive(ToWorker(attached=Attached(lease_ms=LEASE_MS)), now)
    return core
