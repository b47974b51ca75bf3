"""/agents/{id}/channels: the doors of one agent, for its owner"""

from msgspec import Struct

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
from mainspring_api.adapters.http.wire.tiers import Label
from mainspring_api.domain.channels import Channel, ChannelKey
from mainspring_api.domain.limits import CHANNEL_KEYS_MAX
from mainspring_api.ports.store import Transaction
from mainspring_api.usecases import channels
from mainspring_api.usecases.once import Answer, once
from mainspring_kernel.ids import Prefix, from_wire, to_wire
from mainspring_kernel.times import rfc3339

table = RouteTable("channels")
_OF_AGENT = "/agents/{agent_id:str}/channels"
_ONE_OF_AGENT = f"{_OF_AGENT}/{{channel_id:str}}"


class ChannelBody(Struct, frozen=True, kw_only=True):
    """With `delegates_approvals` callers may allow and reject the agent's tool calls, with
    `delegates_controls` choose the model, and how it works, of what they say."""

    name: Label = ""
    delegates_approvals: bool = False
    delegates_controls: bool = False


class KeyView(Struct, frozen=True, kw_only=True):
    """`key` is there once, in the answer that made it."""

    id: str
    shown: str
    created_at: str
    key: str | None


class ChannelView(Struct, frozen=True, kw_only=True):
    """`path` is where an application calls the agent."""

    id: str
    agent_id: str
    name: str
    type: str
    status: str
    path: str
    delegates_approvals: bool
    delegates_controls: bool
    keys: tuple[KeyView, ...]
    created_at: str
    updated_at: str


class ChannelList(Struct, frozen=True, kw_only=True):
    data: tuple[ChannelView, ...]


def key_view(row: ChannelKey, key: str | None = None) -> KeyView:
    return KeyView(
        id=to_wire(Prefix.CHANNEL_KEY, row.id),
        shown=row.shown,
        created_at=rfc3339(row.created_ms),
        key=key,
    )


def channel_view(channel: Channel, keys: tuple[KeyView, ...]) -> ChannelView:
    id_ = to_wire(Prefix.CHANNEL, channel.id)
    return ChannelView(
        id=id_,
        agent_id=to_wire(Prefix.AGENT, channel.owner_id),
        name=channel.name,
        type="api",
        status="live" if channel.enabled else "disabled",
        path=f"/api/v1/channels/{id_}",
        delegates_approvals=channel.delegates_approvals,
        delegates_controls=channel.delegates_controls,
        keys=keys,
        created_at=rfc3339(channel.created_ms),
        updated_at=rfc3339(channel.updated_ms),
    )


@table.route("GET", _OF_AGENT, answer=ChannelList)
async def list_channels(call: Call[NoBody, NoQuery]) -> Reply:
    """The channels of an agent; of their keys only what tells one from another."""
    async with call.services.store.transaction(call.org_id) as tx:
        found = await channels.list_all(tx, call.path["agent_id"])
        shown = [channel_view(one, await _keys(tx, one)) for one in found]
    return json_reply(ChannelList(data=tuple(shown)))


async def _keys(tx: Transaction, channel: Channel) -> tuple[KeyView, ...]:
    rows = await tx.records(ChannelKey, channel.id, limit=CHANNEL_KEYS_MAX)
    return tuple(key_view(row) for row in rows)


@table.route("POST", _OF_AGENT, body=ChannelBody, answer=ChannelView, status=201)
async def create_channel(call: Call[ChannelBody, NoQuery]) -> Reply:
    """A door to the agent with its first key, which is shown this once."""
    ids = call.services.ids

    async def work(tx: Transaction) -> Answer:
        made = await channels.make(
            tx,
            call.path["agent_id"],
            channels.Wish(
                name=call.body.name,
                delegates_approvals=call.body.delegates_approvals,
                delegates_controls=call.body.delegates_controls,
            ),
            ids=ids,
            now_ms=call.now_ms,
        )
        row, key = await channels.mint(tx, made, ids=ids, now_ms=call.now_ms)
        return json_answer(channel_view(made, (key_view(row, key),)), status=201)

    return reply_of(await once(call.services.store, call.org_id, call.key, work))


@table.route("DELETE", _ONE_OF_AGENT, status=204)
async def delete_channel(call: Call[NoBody, NoQuery]) -> Reply:
    """Closes a channel; the sessions that were made through it go on."""
    async with call.services.store.transaction(call.org_id) as tx:
        channel = await channels.get(tx, call.path["agent_id"], call.path["channel_id"])
        await channels.drop(tx, channel)
    return Reply(status=204)


@table.route("POST", f"{_ONE_OF_AGENT}/keys", answer=KeyView, status=201, other_statuses=(422,))
async def create_channel_key(call: Call[NoBody, NoQuery]) -> Reply:
    """Another key, so that one can be replaced without a pause."""
    ids = call.services.ids

    async def work(tx: Transaction) -> Answer:
        channel = await channels.get(tx, call.path["agent_id"], call.path["channel_id"])
        row, key = await channels.mint(tx, channel, ids=ids, now_ms=call.now_ms)
        return json_answer(key_view(row, key), status=201)

    return reply_of(await once(call.services.store, call.org_id, call.key, work))


@table.route("DELETE", f"{_ONE_OF_AGENT}/keys/{{key_id:str}}", status=204)
async def revoke_channel_key(call: Call[NoBody, NoQuery]) -> Reply:
    """From now on the key opens nothing."""
    key_id = from_wire(Prefix.CHANNEL_KEY, call.path["key_id"])
    async with call.services.store.transaction(call.org_id) as tx:
        channel = await channels.get(tx, call.path["agent_id"], call.path["channel_id"])
        await channels.revoke(tx, channel, key_id)
    return Reply(status=204)
