"""Whose budgets the model calls of a session fall under, as the engine knows it."""

from mainspring_api.domain.resources import Session
from mainspring_schema.budgets import Subject, subjects_of


def subjects_over(session: Session) -> tuple[Subject, ...]:
    """Its own, those of the sessions above it, of its agent, its user and its organization."""
    return subjects_of(
        session_id=session.id,
        above=session.tier.ancestors,
        org_id=session.org_id,
        user=session.tier.user,
        agent_id=session.agent_id,
    )
