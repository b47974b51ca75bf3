"""The tier of a session: what people may change of it, and what its children have."""

from uuid import UUID

from msgspec import UNSET

from mainspring_api.adapters.http.wire.tiers import TierBody, tier_of
from mainspring_api.domain.resources import PinnedBase, Session, Tier
from mainspring_api.domain.session_tasks import child_tier
from mainspring_harness.builtin import builtin_registry
from mainspring_kernel.ids import HarnessId, OrgId, SessionId, WorkspaceId
from mainspring_schema.session_tasks import StartCall

ID = UUID(int=7)
CALL = StartCall(name="build", tool="bash", arguments={}, limit_s=900, width=2)


def of_session(tier: Tier) -> Session:
    return Session(
        org_id=OrgId(ID),
        id=SessionId(ID),
        workspace_id=WorkspaceId(ID),
        harness_id=HarnessId(ID),
        tier=tier,
        created_ms=0,
        updated_ms=0,
    )


def test_what_nobody_may_change_stays_when_people_change_the_rest() -> None:
    tier = Tier(
        tags=("a",),
        base=PinnedBase(id=ID),
        ancestors=("session_1",),
        allowed_tools=("bash",),
        user="vuser_1",
        call_limit_s=900,
        embedder_metadata={"a": "b"},
    )

    assert tier_of(TierBody(), tier, builtin_registry(), UNSET) == tier


def test_a_background_call_is_made_of_no_tool_that_the_session_itself_may_not_have() -> None:
    free, narrow = of_session(Tier()), of_session(Tier(allowed_tools=("python",)))

    assert child_tier(free, CALL).allowed_tools == ("bash",)
    assert child_tier(narrow, CALL).allowed_tools == ()
