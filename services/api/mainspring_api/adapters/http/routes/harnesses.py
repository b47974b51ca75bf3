"""/harnesses"""

from msgspec import Struct

from mainspring_api.adapters.http.routes.agents import PageQuery, listed_of
from mainspring_api.adapters.http.routing import (
    Call,
    NoBody,
    NoQuery,
    Reply,
    RouteTable,
    json_answer,
    json_reply,
    reply_of,
)
from mainspring_api.adapters.http.wire.resources import (
    HarnessBody,
    HarnessPatch,
    HarnessView,
    harness_draft,
    harness_view,
)
from mainspring_api.adapters.http.wire.tiers import CapabilityView, capability_views
from mainspring_api.domain import examples
from mainspring_api.ports.store import Transaction
from mainspring_api.usecases import harnesses
from mainspring_api.usecases.once import Answer, once
from mainspring_kernel.ids import HarnessId

table = RouteTable("harnesses")


class HarnessList(Struct, frozen=True, kw_only=True):
    data: tuple[HarnessView, ...]
    total: int
    offset: int
    limit: int


@table.route("GET", "/harnesses", query=PageQuery, answer=HarnessList)
async def list_harnesses(call: Call[NoBody, PageQuery]) -> Reply:
    """Harnesses: the built-in ones first."""
    listed = listed_of(call.query)
    async with call.services.store.transaction(call.org_id) as tx:
        found = await harnesses.list_all(tx, listed)
    shown = found[listed.offset : listed.offset + listed.limit]
    return json_reply(
        HarnessList(
            data=tuple(harness_view(harness) for harness in shown),
            total=len(found),
            offset=listed.offset,
            limit=listed.limit,
        )
    )


@table.route(
    "POST",
    "/harnesses",
    body=HarnessBody,
    answer=HarnessView,
    status=201,
    other_statuses=(409,),
)
async def create_harness(call: Call[HarnessBody, NoQuery]) -> Reply:
    """Creates a harness."""
    services = call.services
    draft = harness_draft(call.body, None, services.registry)

    async def work(tx: Transaction) -> Answer:
        id_ = HarnessId(services.ids.uuid7())
        harness = await harnesses.create(tx, draft, id_=id_, now_ms=call.now_ms)
        return json_answer(harness_view(harness), status=201)

    return reply_of(await once(services.store, call.org_id, call.key, work))


@table.route("GET", "/harnesses/{harness_id:str}", answer=HarnessView)
async def get_harness(call: Call[NoBody, NoQuery]) -> Reply:
    """One harness, by id or by name."""
    async with call.services.store.transaction(call.org_id) as tx:
        harness = await harnesses.get(tx, call.path["harness_id"])
    return json_reply(harness_view(harness))


@table.route(
    "PATCH",
    "/harnesses/{harness_id:str}",
    body=HarnessPatch,
    answer=HarnessView,
    other_statuses=(403, 409),
)
async def update_harness(call: Call[HarnessPatch, NoQuery]) -> Reply:
    """Changes the members that are given; built-in harnesses refuse."""
    ref = call.path["harness_id"]
    async with call.services.store.transaction(call.org_id) as tx:
        present = await harnesses.get(tx, ref)
        draft = harness_draft(call.body, present, call.services.registry)
        status = call.body.status if isinstance(call.body.status, str) else None
        changed = await harnesses.change(tx, ref, draft, status=status, now_ms=call.now_ms)
    return json_reply(harness_view(changed))


@table.route("POST", "/harnesses/{harness_id:str}/copy", answer=HarnessView, status=201)
async def copy_harness(call: Call[NoBody, NoQuery]) -> Reply:
    """The same harness under another name: copies of built-in ones can be changed."""
    services = call.services

    async def work(tx: Transaction) -> Answer:
        id_ = HarnessId(services.ids.uuid7())
        made = await harnesses.copy(tx, call.path["harness_id"], id_=id_, now_ms=call.now_ms)
        return json_answer(harness_view(made), status=201)

    return reply_of(await once(services.store, call.org_id, call.key, work))


class HarnessExampleView(Struct, frozen=True, kw_only=True):
    name: str
    display_name: str
    description: str
    dev_only: bool
    tags: tuple[str, ...]
    capabilities: tuple[CapabilityView, ...]
    parent_name: str


@table.route("GET", "/harness-examples", answer=tuple[HarnessExampleView, ...])
async def list_harness_examples(call: Call[NoBody, NoQuery]) -> Reply:
    """Harnesses to begin from: what they would be created with."""
    del call
    return json_reply(
        [
            HarnessExampleView(
                name=one.name,
                display_name=one.display_name,
                description=one.description,
                dev_only=one.dev_only,
                tags=one.tags,
                capabilities=capability_views(one.capabilities),
                parent_name=one.parent_name,
            )
            for one in examples.HARNESSES
        ]
    )


@table.route("DELETE", "/harnesses/{harness_id:str}", status=204, other_statuses=(403,))
async def delete_harness(call: Call[NoBody, NoQuery]) -> Reply:
    """Archives a harness; built-in ones refuse."""
    async with call.services.store.transaction(call.org_id) as tx:
        await harnesses.archive(tx, call.path["harness_id"], now_ms=call.now_ms)
    return Reply(status=204)


@table.route(
    "POST", "/harnesses/{harness_id:str}/delete", answer=HarnessView, other_statuses=(403, 409)
)
async def delete_harness_for_good(call: Call[NoBody, NoQuery]) -> Reply:
    """Deletes an archived harness that nobody names for good; what it was is answered once more."""

    async def work(tx: Transaction) -> Answer:
        gone = await harnesses.delete(tx, call.path["harness_id"], now_ms=call.now_ms)
        return json_answer(harness_view(gone), status=200)

    return reply_of(await once(call.services.store, call.org_id, call.key, work))
