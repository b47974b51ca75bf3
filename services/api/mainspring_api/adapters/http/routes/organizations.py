"""/orgs: whose things all the others are"""

from typing import Annotated

from msgspec import Meta, Struct

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
from mainspring_api.domain import limits as bounds
from mainspring_api.domain.resources import Organization
from mainspring_api.usecases.once import Answer, once_elsewhere
from mainspring_kernel import limits
from mainspring_kernel.errors import NotFound
from mainspring_kernel.ids import OrgId, Prefix, from_wire, to_wire
from mainspring_kernel.times import rfc3339

table = RouteTable("organizations")


class OrganizationBody(Struct, frozen=True, kw_only=True):
    name: Annotated[str, Meta(min_length=1, max_length=limits.DISPLAY_NAME_CHARS_MAX)]


class OrganizationView(Struct, frozen=True, kw_only=True):
    id: str
    name: str
    default_model_id: str | None
    default_harness_id: str | None
    created_at: str
    updated_at: str


def organization_view(organization: Organization) -> OrganizationView:
    harness = organization.default_harness_id
    return OrganizationView(
        id=to_wire(Prefix.ORG, organization.id),
        name=organization.name,
        default_model_id=organization.default_model_id,
        default_harness_id=to_wire(Prefix.HARNESS, harness) if harness else None,
        created_at=rfc3339(organization.created_ms),
        updated_at=rfc3339(organization.updated_ms),
    )


class OrganizationsQuery(Struct, frozen=True, kw_only=True):
    offset: Annotated[int, Meta(ge=0, le=bounds.RESUME_OFFSET_MAX)] = 0
    limit: Annotated[int, Meta(ge=1)] = bounds.LIST_ROWS_DEFAULT


class OrganizationPage(Struct, frozen=True, kw_only=True):
    data: tuple[OrganizationView, ...]
    total: int
    offset: int
    limit: int


@table.route("GET", "/orgs", query=OrganizationsQuery, answer=OrganizationPage)
async def list_organizations(call: Call[NoBody, OrganizationsQuery]) -> Reply:
    """Organizations, oldest first. All of them: nobody is known, so everybody is a member."""
    offset, limit = call.query.offset, min(call.query.limit, limits.LIST_ROWS_MAX)
    found, total = await call.services.store.organizations(offset=offset, limit=limit)
    page = OrganizationPage(
        data=tuple(organization_view(one) for one in found),
        total=total,
        offset=offset,
        limit=limit,
    )
    return json_reply(page)


@table.route(
    "POST",
    "/orgs",
    body=OrganizationBody,
    answer=OrganizationView,
    status=201,
    other_statuses=(409,),
)
async def create_organization(call: Call[OrganizationBody, NoQuery]) -> Reply:
    """Makes an organization: name it in `X-Org-Id` to work in it."""
    services = call.services

    async def work() -> Answer:
        made = Organization(
            id=OrgId(services.ids.uuid7()),
            name=call.body.name,
            created_ms=call.now_ms,
            updated_ms=call.now_ms,
        )
        await services.store.create_organization(made)
        return json_answer(organization_view(made), status=201)

    return reply_of(await once_elsewhere(services.store, call.org_id, call.key, work))


@table.route("GET", "/orgs/{org_id:str}", answer=OrganizationView)
async def get_organization(call: Call[NoBody, NoQuery]) -> Reply:
    """The organization of this request; another one's id is not found."""
    if OrgId(from_wire(Prefix.ORG, call.path["org_id"])) != call.org_id:
        msg = "no such organization"
        raise NotFound(msg)
    async with call.services.store.transaction(call.org_id) as tx:
        organization = await tx.organization()
    if organization is None:
        msg = "no such organization"
        raise NotFound(msg)
    return json_reply(organization_view(organization))
