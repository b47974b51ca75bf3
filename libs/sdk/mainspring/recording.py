"""What the code of a workflow asks of the go it runs in."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import NoReturn, Protocol, TypeVar

from mainspring.computing import Processes
from mainspring.place import current_scope
from mainspring.retries import Retry
from mainspring.values import Shape
from mainspring_schema.workflows import ChildStart, StepKind, StepRecord

T = TypeVar("T")


class Callee(Protocol[T]):
    """A step as a go calls it."""

    name: str
    retry: Retry
    close_within_s: float | None
    shape: Shape[T]

    async def call(
        self, args: tuple[object, ...], kwargs: dict[str, object], processes: Processes | None
    ) -> T:
        """One attempt."""
        ...


class Recording(ABC):
    """The base of a go. `current_recording` finds the one that the present code runs in."""

    @abstractmethod
    async def step(self, step: Callee[T], args: tuple[object, ...], kwargs: dict[str, object]) -> T:
        """Raises StepFailed once it has failed for good."""

    @abstractmethod
    async def wait(
        self,
        kind: StepKind,
        name: str,
        *,
        delay_ms: int | None,
        digest: bytes = b"",
        child: ChildStart | None = None,
    ) -> StepRecord:
        """Until the engine has found its result."""

    @abstractmethod
    async def start_over(self, args: tuple[object, ...], kwargs: dict[str, object]) -> NoReturn:
        """Ends this passage of the code; it begins anew with these arguments."""
        raise NotImplementedError

    @abstractmethod
    def answering(self, name: str, handler: Callable[..., object]) -> None:
        """Has queries of this name answered by the handler from now on."""

    @abstractmethod
    def branches(self) -> None:
        """Its code makes a task."""

    @abstractmethod
    async def report(self, value: object) -> None:
        """Records what a query is answered with from now on."""


def current_recording() -> Recording | None:
    """None outside of a workflow, and inside of a step."""
    scope = current_scope()
    go = None if scope is None else scope.go
    return go if isinstance(go, Recording) else None
