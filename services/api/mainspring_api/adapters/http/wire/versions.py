"""Versions of agents, health checks and figures on the wire."""

from collections.abc import Sequence
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta, Struct, field

from mainspring_api.adapters.http.wire.resources import (
    Description,
    Name,
    id_or_none,
    time_or_none,
)
from mainspring_api.adapters.http.wire.tiers import Label, TierView, joined
from mainspring_api.domain.differences import Difference, differences
from mainspring_api.domain.health_checks import Verdict, pass_rate
from mainspring_api.domain.versions import AgentVersion, ChangeKind
from mainspring_api.usecases.health_checks import Report
from mainspring_api.usecases.stats import Stats
from mainspring_kernel.ids import Prefix, to_wire
from mainspring_kernel.times import rfc3339
from mainspring_schema.messages import Json

Summary = Annotated[str, Meta(max_length=1000)]
VersionRef = Annotated[str, Meta(max_length=64)]


class VersionBody(Struct, frozen=True, kw_only=True):
    change_kind: ChangeKind | None = None
    summary: Summary | None = None


class DefaultVersionBody(Struct, frozen=True, kw_only=True):
    version_id: VersionRef


class VersionForkBody(Struct, frozen=True, kw_only=True):
    name: Name
    display_name: Label | None = None
    description: Description | None = None


class RollbackBody(Struct, frozen=True, kw_only=True):
    save_version: bool | None = None
    summary: Summary | None = None


class AuthoredView(TierView, frozen=True, kw_only=True):
    """What people wrote, in the members that an agent is created with."""

    display_name: str | None
    description: str | None
    harness_id: str
    default_model_id: str | None


class VersionView(Struct, frozen=True, kw_only=True):
    id: str
    agent_id: str
    version_number: int
    version: str
    semver_major: int
    semver_minor: int
    semver_patch: int
    change_kind: ChangeKind
    authored_config: AuthoredView
    resolved_config: Json
    config_hash: str
    parent_version_id: str | None
    source_version_id: str | None
    is_published: bool
    summary: str | None
    created_at: str


class DiffView(Struct, frozen=True, kw_only=True):
    from_version_id: str
    to_version_id: str
    authored_diff: tuple[Difference, ...]
    resolved_diff: tuple[Difference, ...]


def authored_view(version: AgentVersion) -> AuthoredView:
    written = version.authored
    return joined(
        AuthoredView,
        written.tier,
        display_name=written.display_name,
        description=written.description,
        harness_id=to_wire(Prefix.HARNESS, written.harness_id),
        default_model_id=written.tier.model_id,
    )


def version_view(version: AgentVersion, default_id: object) -> VersionView:
    """`default_id` is that of the version which new sessions get."""
    major, minor, patch = version.semver
    return VersionView(
        id=to_wire(Prefix.AGENT_VERSION, version.id),
        agent_id=to_wire(Prefix.AGENT, version.agent_id),
        version_number=version.number,
        version=str(version.semver),
        semver_major=major,
        semver_minor=minor,
        semver_patch=patch,
        change_kind=version.change,
        authored_config=authored_view(version),
        resolved_config=version.resolved,
        config_hash=version.config_hash,
        parent_version_id=id_or_none(Prefix.AGENT_VERSION, version.parent_id),
        source_version_id=id_or_none(Prefix.AGENT_VERSION, version.source_id),
        is_published=version.id == default_id,
        summary=version.summary,
        created_at=rfc3339(version.created_ms),
    )


def diff_view(before: AgentVersion, after: AgentVersion) -> DiffView:
    one, other = (as_json(authored_view(version)) for version in (before, after))
    return DiffView(
        from_version_id=to_wire(Prefix.AGENT_VERSION, before.id),
        to_version_id=to_wire(Prefix.AGENT_VERSION, after.id),
        authored_diff=differences(one, other),
        resolved_diff=differences(before.resolved, after.resolved),
    )


def as_json(view: Struct) -> Json:
    """What it looks like on the wire."""
    return msgspec.json.decode(msgspec.json.encode(view), type=Json)


# ── health checks ───────────────────────────────────────────────────────────────────────────────

NO_JUDGE: Final = "fixed rules decide; no model was asked"


class CaseView(Struct, frozen=True, kw_only=True):
    name: str
    user_message: str
    rubric: str
    passed: bool
    score: float
    judge_reason: str
    deterministic_reason: str
    latency_ms: int
    turns: int
    session_id: str
    error: str | None
    input_tokens: int
    output_tokens: int


class CheckSummary(Struct, frozen=True, kw_only=True):
    total: int
    passed: int
    failed: int
    errored: int
    pass_rate: float
    avg_score: float
    avg_turns: float
    total_input_tokens: int
    total_output_tokens: int


class CheckView(Struct, frozen=True, kw_only=True):
    id: str
    agent_id: str
    status: Literal["running", "completed"]
    config_hash: str
    model_id: str | None
    results: tuple[CaseView, ...]
    summary: CheckSummary | None
    created_at: str
    completed_at: str | None


def check_view(report: Report) -> CheckView:
    check = report.check
    return CheckView(
        id=to_wire(Prefix.HEALTH_CHECK, check.id),
        agent_id=to_wire(Prefix.AGENT, check.owner_id),
        status="completed" if report.complete else "running",
        config_hash=check.config_hash,
        model_id=check.model_id,
        results=tuple(_case_view(one) for one in report.verdicts),
        summary=_summary(report.verdicts) if report.complete else None,
        created_at=rfc3339(check.created_ms),
        completed_at=time_or_none(report.ended_ms),
    )


def _case_view(one: Verdict) -> CaseView:
    usage = one.answered.usage
    return CaseView(
        name=one.case.name,
        user_message=one.case.user_message,
        rubric=one.case.rubric,
        passed=one.passed,
        score=float(one.passed),
        judge_reason=NO_JUDGE,
        deterministic_reason=one.reason,
        latency_ms=one.answered.latency_ms,
        turns=1,
        session_id=to_wire(Prefix.SESSION, one.session_id),
        error=one.answered.error,
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
    )


def _summary(verdicts: Sequence[Verdict]) -> CheckSummary:
    passed = sum(one.passed for one in verdicts)
    errored = sum(one.answered.outcome != "turn.completed" for one in verdicts)
    usages = [one.answered.usage for one in verdicts]
    return CheckSummary(
        total=len(verdicts),
        passed=passed,
        failed=len(verdicts) - passed - errored,
        errored=errored,
        pass_rate=pass_rate(verdicts),
        avg_score=pass_rate(verdicts),
        avg_turns=1.0,
        total_input_tokens=sum(usage.input_tokens for usage in usages),
        total_output_tokens=sum(usage.output_tokens for usage in usages),
    )


# ── figures ─────────────────────────────────────────────────────────────────────────────────────


class StatsView(Struct, frozen=True, kw_only=True):
    """Of the newest thousand sessions; `session_count` counts all."""

    session_count: int
    started_session_count: int
    active_session_count: int
    idle_session_count: int
    waiting_for_tool_results_session_count: int
    turn_count: int = field(name="execution_count")
    total_input_tokens: int
    total_output_tokens: int
    total_cache_read_tokens: int
    total_cache_creation_tokens: int
    total_estimated_cost_usd: float | None
    total_session_duration_ms: int
    avg_session_duration_ms: int | None
    first_session_at: str | None
    last_session_at: str | None
    last_turn_at: str | None = field(name="last_execution_at")


def stats_view(stats: Stats) -> StatsView:
    usage, looked_at = stats.usage, sum(stats.by_status.values())
    return StatsView(
        session_count=stats.sessions,
        started_session_count=stats.by_status.get("started", 0),
        active_session_count=stats.by_status.get("active", 0),
        idle_session_count=stats.by_status.get("idle", 0),
        waiting_for_tool_results_session_count=stats.by_status.get("waitingfortoolresults", 0),
        turn_count=stats.turns,
        total_input_tokens=usage.input_tokens,
        total_output_tokens=usage.output_tokens,
        total_cache_read_tokens=usage.cache_read_tokens or 0,
        total_cache_creation_tokens=usage.cache_creation_tokens or 0,
        total_estimated_cost_usd=usage.estimated_cost_usd,
        total_session_duration_ms=stats.duration_ms,
        avg_session_duration_ms=stats.duration_ms // looked_at if looked_at else None,
        first_session_at=time_or_none(stats.first_session_ms),
        last_session_at=time_or_none(stats.last_session_ms),
        last_turn_at=time_or_none(stats.last_turn_ms),
    )
