"""How the network rules of several tiers combine: a later tier can only narrow.

A pattern is a host name, `*.` and a domain (every name below it, not the domain itself), or `*`.
"""

from collections.abc import Iterable

from mainspring_schema.agents import NetworkAccess


def combine(rules: Iterable[NetworkAccess | None]) -> NetworkAccess | None:
    """Allowed hosts intersect where both sides name some, blocked hosts add up.

    None where no tier has a rule.
    """
    result: NetworkAccess | None = None
    for rule in rules:
        if rule is None:
            continue
        if result is None:
            result = NetworkAccess(allowed=rule.allowed, blocked=_distinct(rule.blocked))
            continue
        result = NetworkAccess(
            allowed=_intersect(result.allowed, rule.allowed),
            blocked=_distinct((*result.blocked, *rule.blocked)),
        )
    return result


def covers(pattern: str, other: str) -> bool:
    """Whether every host that `other` matches is matched by `pattern`. Case does not count."""
    pattern, other = pattern.lower(), other.lower()
    if pattern in {"*", other}:
        return True
    return (
        pattern.startswith("*.") and other != "*" and other.removeprefix("*").endswith(pattern[1:])
    )


def _intersect(
    left: tuple[str, ...] | None, right: tuple[str, ...] | None
) -> tuple[str, ...] | None:
    if left is None or right is None:
        return right if left is None else left
    # Two patterns are equal, one inside the other, or disjoint: so the narrower ones are all.
    kept = [one for one in left if any(covers(other, one) for other in right)]
    kept += [one for one in right if any(covers(other, one) for other in left)]
    return _distinct(kept)


def _distinct(patterns: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(pattern.lower() for pattern in patterns))
