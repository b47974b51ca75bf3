"""Harnesses: the built-in ones, which nobody can change, and those of the organization."""

from collections.abc import Sequence

import msgspec
from msgspec import Struct

from mainspring_api.domain import catalogue
from mainspring_api.domain.naming import can_name, check_name, matches, numbered
from mainspring_api.domain.resources import Harness, Status, Tier
from mainspring_api.ports.store import Listed, Transaction
from mainspring_kernel.errors import Conflict, NameTaken, NotFound, PermissionDenied
from mainspring_kernel.ids import HarnessId, Prefix, from_wire

DEPTH_MAX = 8
"""Ancestors of a harness; folding reads them all."""


class HarnessDraft(Struct, frozen=True, kw_only=True):
    """What a client says of a harness."""

    name: str
    display_name: str | None = None
    description: str | None = None
    parent_id: HarnessId | None = None
    tier: Tier


async def create(tx: Transaction, draft: HarnessDraft, *, id_: HarnessId, now_ms: int) -> Harness:
    """Raises NameTaken, ValidationFailed, NotFound for an unknown parent."""
    organization = await tx.organization()
    if organization is None:
        raise NotFound
    check_name(draft.name)
    if await _named(tx, draft.name) is not None:
        msg = f"a harness named {draft.name!r} exists"
        raise NameTaken(msg)
    if draft.parent_id is not None:
        await chain(tx, draft.parent_id)
    harness = Harness(
        org_id=organization.id,
        id=id_,
        name=draft.name,
        display_name=draft.display_name,
        description=draft.description,
        parent_id=draft.parent_id,
        tier=draft.tier,
        created_ms=now_ms,
        updated_ms=now_ms,
    )
    await tx.put_harness(harness)
    return harness


async def get(tx: Transaction, ref: str) -> Harness:
    """By id or by name. Raises NotFound."""
    found = (
        await find(tx, HarnessId(from_wire(Prefix.HARNESS, ref)))
        if ref.startswith(f"{Prefix.HARNESS}_")
        else await _named(tx, ref)
    )
    if found is None:
        msg = f"no harness {ref[:64]!r}"
        raise NotFound(msg)
    return found


async def find(tx: Transaction, id_: HarnessId) -> Harness | None:
    """Built-in ones first: no row can stand in their place."""
    organization = await tx.organization()
    if organization is None:
        return None
    return catalogue.built_in_harness(organization.id, id_) or await tx.harness(id_)


async def _named(tx: Transaction, name: str) -> Harness | None:
    organization = await tx.organization()
    if organization is None:
        return None
    for built_in in catalogue.built_in_harnesses(organization.id):
        if built_in.name == name:
            return built_in
    return await tx.harness_named(name) if can_name(name) else None


async def list_all(tx: Transaction, listed: Listed) -> Sequence[Harness]:
    """Built-in ones first, then the organization's by name. Raises NotFound."""
    organization = await tx.organization()
    if organization is None:
        raise NotFound
    built_in = [
        harness
        for harness in catalogue.built_in_harnesses(organization.id)
        if matches(listed.tokens, harness.name, harness.display_name, harness.description)
    ]
    return [*built_in, *await tx.harnesses(listed)]


async def change(
    tx: Transaction, ref: str, draft: HarnessDraft, *, status: Status | None, now_ms: int
) -> Harness:
    """Replaces what a client may say.

    Raises NotFound, PermissionDenied for a built-in one, NameTaken, ValidationFailed, and Conflict
    where it would extend itself, or its heirs over too many levels.
    """
    harness = await _changeable(tx, ref)
    if draft.name != harness.name:
        check_name(draft.name)
        if await _named(tx, draft.name) is not None:
            msg = f"a harness named {draft.name!r} exists"
            raise NameTaken(msg)
    if draft.parent_id is not None and draft.parent_id != harness.parent_id:
        await _check_parent(tx, harness.id, draft.parent_id)
    changed = msgspec.structs.replace(
        harness,
        name=draft.name,
        display_name=draft.display_name,
        description=draft.description,
        parent_id=draft.parent_id,
        tier=draft.tier,
        status=status or harness.status,
        archived_ms=now_ms if status == "archived" else None,
        rev=harness.rev + 1,
        updated_ms=now_ms,
    )
    await tx.put_harness(changed)
    return changed


async def archive(tx: Transaction, ref: str, *, now_ms: int) -> None:
    """Archiving an archived one changes nothing.

    Raises NotFound, PermissionDenied for a built-in one.
    """
    harness = await _changeable(tx, ref)
    if harness.status != "archived":
        archived = msgspec.structs.replace(
            harness, status="archived", archived_ms=now_ms, updated_ms=now_ms, rev=harness.rev + 1
        )
        await tx.put_harness(archived)


async def delete(tx: Transaction, ref: str, *, now_ms: int) -> Harness:
    """For good: its name is free again.

    Raises NotFound, PermissionDenied for a built-in one, Conflict unless it is archived and nobody
    extends or uses it.
    """
    harness = await _changeable(tx, ref)
    if harness.status != "archived":
        msg = "only an archived harness can be deleted"
        raise Conflict(msg)
    await tx.renew_configurations()  # Its lock: nobody begins to inherit from it meanwhile.
    if users := await tx.rests_on(harness.id):
        msg = f"{users} agents and harnesses name this harness; give them another one first"
        raise Conflict(msg)
    gone = msgspec.structs.replace(
        harness, status="deleted", updated_ms=now_ms, rev=harness.rev + 1
    )
    await tx.put_harness(gone)
    return gone


async def copy(tx: Transaction, ref: str, *, id_: HarnessId, now_ms: int) -> Harness:
    """The same under another name, to be changed: the way to make a built-in one one's own."""
    harness = await get(tx, ref)
    copied = Harness(
        org_id=harness.org_id,
        id=id_,
        name=await _free_name(tx, f"{harness.name}-copy"),
        display_name=harness.display_name,
        description=harness.description,
        parent_id=harness.parent_id,
        tier=harness.tier,
        created_ms=now_ms,
        updated_ms=now_ms,
    )
    await tx.put_harness(copied)
    return copied


async def _free_name(tx: Transaction, wanted: str) -> str:
    for name in numbered(wanted):
        if await _named(tx, name) is None:
            return name
    msg = f"too many harnesses are named {wanted!r}"
    raise Conflict(msg)


async def chain(tx: Transaction, id_: HarnessId) -> Sequence[Harness]:
    """The harness and its ancestors, root first. Raises NotFound, Conflict when it is too deep."""
    links: list[Harness] = []
    next_id: HarnessId | None = id_
    while next_id is not None:
        if len(links) > DEPTH_MAX:
            msg = f"harnesses inherit over at most {DEPTH_MAX} levels"
            raise Conflict(msg)
        harness = await find(tx, next_id)
        if harness is None:
            msg = "no such harness"
            raise NotFound(msg)
        links.append(harness)
        next_id = harness.parent_id
    return links[::-1]


async def _check_parent(tx: Transaction, id_: HarnessId, parent_id: HarnessId) -> None:
    """Raises Conflict for a circle, and for one by which an heir would inherit too deep."""
    await tx.renew_configurations()  # Its lock: of two changes at once each may look sound alone.
    ancestors = await chain(tx, parent_id)
    if any(ancestor.id == id_ for ancestor in ancestors):
        msg = "a harness cannot inherit from itself"
        raise Conflict(msg)
    if len(ancestors) + await tx.generations(id_) > DEPTH_MAX:
        msg = f"its heirs would inherit over more than {DEPTH_MAX} levels"
        raise Conflict(msg)


async def _changeable(tx: Transaction, ref: str) -> Harness:
    harness = await get(tx, ref)
    if harness.built_in:
        msg = "built-in harnesses are read-only; copy one to change it"
        raise PermissionDenied(msg)
    return harness
