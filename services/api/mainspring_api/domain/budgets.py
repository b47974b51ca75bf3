"""Whose budgets the model calls of a session fall under, as the engine knows it."""

from mainspring_api.domain.resources import Session
from mainspring_kernel.ids import ANONYMOUS_USER_ID, Prefix, from_wire
from mainspring_schema.budgets import Subject


def subjects_over(session: Session) -> tuple[Subject, ...]:
    """Its own, those of the sessions above it, of its agent, its user and its organization."""
    tier = session.tier
    above = (from_wire(Prefix.SESSION, one) for one in tier.ancestors)
    user = ANONYMOUS_USER_ID if tier.user is None else from_wire(Prefix.VIRTUAL_USER, tier.user)
    those = (
        Subject(type="session", id=session.id),
        *(Subject(type="session", id=one) for one in above),
        Subject(type="user", id=user),
        Subject(type="organization", id=session.org_id),
    )
    if session.agent_id is None:
        return those
    return (*those, Subject(type="agent", id=session.agent_id))
