"""/durable/limits, /durable/weights: how much of a key may run, and whose part is how large"""

from typing import Annotated

from msgspec import Meta, Struct

from mainspring_api.adapters.http.routing import (
    Call,
    NoBody,
    NoQuery,
    Reply,
    RouteTable,
    json_reply,
)
from mainspring_api.adapters.http.wire.gate_keys import known_key, new_limit_key
from mainspring_api.domain import limits
from mainspring_kernel.errors import NotFound
from mainspring_kernel.ids import Prefix, from_wire, to_wire
from mainspring_schema.gates import DropLimit, LimitView, SetLimit, SetWeight
from mainspring_schema.keys import wire_key

table = RouteTable("durable")
_SECONDS_MAX = limits.LIMIT_WINDOW_MS_MAX // 1000


class LimitBody(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`at_once`: tasks that run at a time, 0 pauses the key.

    `rate`: claims in any window of `per_seconds`.
    """

    at_once: Annotated[int, Meta(ge=0, le=limits.LIMIT_RATE_MAX)] | None = None
    rate: Annotated[int, Meta(ge=1, le=limits.LIMIT_RATE_MAX)] | None = None
    per_seconds: Annotated[int, Meta(ge=1, le=_SECONDS_MAX)] | None = None


class Limit(Struct, frozen=True, kw_only=True):
    """`key` is `provider_…:model`, `queue:name`, or `key:name` of one that tasks are given.

    A limit `key:customer:*` is one of every key that begins so, each by itself; how such a key
    stands is asked for by its own name, and `family` says which limit that is.
    """

    key: str
    at_once: int | None
    rate: int | None
    per_seconds: float | None
    running: int
    available: int | None
    family: str | None


class LimitList(Struct, frozen=True, kw_only=True):
    data: tuple[Limit, ...]
    total: int


class WeightBody(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The part against the others'; 1 is everybody's."""

    weight: Annotated[float, Meta(ge=1 / limits.SHARE_WEIGHT_MAX, le=limits.SHARE_WEIGHT_MAX)]


class Weight(Struct, frozen=True, kw_only=True):
    org_id: str
    weight: float


class WeightList(Struct, frozen=True, kw_only=True):
    data: tuple[Weight, ...]
    total: int


@table.route("GET", "/durable/limits", answer=LimitList)
async def list_limits(call: Call[NoBody, NoQuery]) -> Reply:
    """Limits per key, with what runs under them and how many claims may come now."""
    found = tuple(_shown(limit) for limit in await call.services.gates.limits())
    return json_reply(LimitList(data=found, total=len(found)))


@table.route("GET", "/durable/limits/{key:str}", answer=Limit, other_statuses=(422,))
async def get_limit(call: Call[NoBody, NoQuery]) -> Reply:
    """One limit, and how it stands."""
    found = await call.services.gates.limits((known_key(call.path["key"]),))
    if not found:
        msg = "no such limit"
        raise NotFound(msg)
    return json_reply(_shown(found[0]))


@table.route("PUT", "/durable/limits/{key:str}", body=LimitBody, answer=Limit)
async def put_limit(call: Call[LimitBody, NoQuery]) -> Reply:
    """Replaces the limit of a key. Tasks above it stay ready; none fails, and what runs goes on."""
    body = call.body
    command = SetLimit(
        key=new_limit_key(call.path["key"]),
        at_once=body.at_once,
        rate=body.rate,
        per_ms=None if body.per_seconds is None else body.per_seconds * 1000,
    )
    return json_reply(_shown(await call.services.gates.set_limit(command)))


@table.route("DELETE", "/durable/limits/{key:str}", status=204, other_statuses=(422,))
async def delete_limit(call: Call[NoBody, NoQuery]) -> Reply:
    """Lets its tasks pass."""
    await call.services.gates.drop_limit(DropLimit(key=known_key(call.path["key"])))
    return Reply(status=204)


@table.route("GET", "/durable/weights", answer=WeightList)
async def list_weights(call: Call[NoBody, NoQuery]) -> Reply:
    """Organizations whose part of the workers is other than everybody's."""
    weights = (await call.services.gates.weights()).weights
    found = tuple(
        Weight(org_id=to_wire(Prefix.ORG, org_id), weight=weight)
        for org_id, weight in sorted(weights.items())
    )
    return json_reply(WeightList(data=found, total=len(found)))


@table.route("PUT", "/durable/weights/{org_id:str}", body=WeightBody, answer=Weight)
async def put_weight(call: Call[WeightBody, NoQuery]) -> Reply:
    """Sets an organization's part; 1 takes it off the list."""
    org_id = from_wire(Prefix.ORG, call.path["org_id"])
    await call.services.gates.set_weight(SetWeight(org_id=org_id, weight=call.body.weight))
    return json_reply(Weight(org_id=call.path["org_id"], weight=call.body.weight))


def _shown(limit: LimitView) -> Limit:
    return Limit(
        key=wire_key(limit.key),
        at_once=limit.at_once,
        rate=limit.rate,
        per_seconds=None if limit.per_ms is None else limit.per_ms / 1000,
        running=limit.running,
        available=limit.available,
        family=wire_key(limit.family) if limit.family else None,
    )
