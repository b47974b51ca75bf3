"""Versions of agents: what was authored, what it folded into, and how they are numbered."""

import hashlib
from typing import ClassVar, Literal, NamedTuple
from uuid import UUID

import msgspec
from msgspec import Struct

from mainspring_api.domain.records import Record
from mainspring_api.domain.resources import Agent, Tier
from mainspring_kernel.ids import AgentId, HarnessId
from mainspring_schema.messages import Json

ChangeKind = Literal["auto", "manual", "patch", "minor", "major", "import", "rollback", "fork"]


class Semver(NamedTuple):
    major: int
    minor: int
    patch: int

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}.{self.patch}"


FIRST = Semver(1, 0, 0)


def following(semver: Semver, change: ChangeKind) -> Semver:
    """Whoever does not say how much changed has changed a little."""
    match change:
        case "major":
            return Semver(semver.major + 1, 0, 0)
        case "minor":
            return Semver(semver.major, semver.minor + 1, 0)
        case _:
            return Semver(semver.major, semver.minor, semver.patch + 1)


class Authored(Struct, frozen=True, kw_only=True):
    """What people write of an agent. Its name is not in it: a rollback renames nobody."""

    display_name: str | None
    description: str | None
    harness_id: HarnessId
    tier: Tier


def authored(agent: Agent) -> Authored:
    return Authored(
        display_name=agent.display_name,
        description=agent.description,
        harness_id=agent.harness_id,
        tier=agent.tier,
    )


def applied(agent: Agent, version: "AgentVersion") -> Agent:
    """The agent as it was."""
    return msgspec.structs.replace(agent, **msgspec.structs.asdict(version.authored))


def hash_of(written: Authored) -> str:
    """Equal hash, equal configuration."""
    return hashlib.sha256(msgspec.json.encode(written, order="sorted")).hexdigest()


class AgentVersion(Record, frozen=True, kw_only=True):
    """Never changes. Its owner is the agent, its key the number."""

    kind: ClassVar[str] = "agent_version"

    number: int
    semver: Semver
    change: ChangeKind
    authored: Authored
    resolved: Json
    """The runtime agent that it folded into when it was made."""
    config_hash: str
    parent_id: UUID | None = None
    """The newest one when it was made."""
    source_id: UUID | None = None
    """What it was rolled back to, or forked from."""
    summary: str | None = None

    @property
    def agent_id(self) -> AgentId:
        return AgentId(self.owner_id)
