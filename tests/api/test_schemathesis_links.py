"""Follows the document's links: what was made is asked for, changed and deleted, in any order."""
# schemathesis makes the base class from the document, so nothing says what it has.
# pyright: reportUntypedBaseClass=false, reportUnknownMemberType=false

import re

import schemathesis
from hypothesis import HealthCheck, Phase, settings
from litestar.types import Receive, Scope, Send
from schemathesis.specs.openapi import checks as openapi_checks

from mainspring_api.adapters.http import links
from mainspring_api.adapters.http.app import all_routes, application
from mainspring_api.adapters.http.routing import Route
from tests.api.backend import Backend
from tests.api.conftest import wired
from tests.api.test_schemathesis import CHECKS, Case, Check

STORIES = 30
STEPS = 20
FORGETFUL = "/api/v1/durable/tasks"
"""The fake behind it keeps no task that was submitted."""
SECRETIVE = "/api/v1/orgs"
"""An organization is seen by itself alone; the machine may leave out the header that says so."""


class Stage:
    """A fresh application for each story: what one story makes must not change the next one."""

    def __init__(self) -> None:
        self.renew()

    def renew(self) -> None:
        self._app = application(wired(Backend()))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, send)


stage = Stage()
ROUTES = [route for route in all_routes() if not route.path.startswith(FORGETFUL)]
LINKED = {route.operation_id: links.of(route, ROUTES) for route in ROUTES}
FIRST = [route for route in ROUTES if LINKED[route.operation_id] and not route.parameters]
"""Where stories begin."""

schema = schemathesis.openapi.from_asgi("/api-doc/openapi.json", stage).include(
    operation_id=sorted({name for one in LINKED.values() for name in one})
    + [route.operation_id for route in FIRST]
)
schema.config.generation.update(modes=[schemathesis.GenerationMode.POSITIVE])
Machine = schema.as_state_machine()


def beginning(route: Route) -> str:
    """What the machine calls the rule that calls it with whatever is drawn."""
    place = re.sub(r"\W", "_", route.path.strip("/"))
    return f"RANDOM__{route.method}_{place}"


for rule in Machine.root_rules - {beginning(route) for route in FIRST}:
    setattr(Machine, rule, None)  # what needs an id gets it by a link


class People(Machine):
    def __init__(self) -> None:
        super().__init__()
        stage.renew()
        self._made: set[str] = set()

    def before_call(self, case: Case) -> None:
        if not case.path.startswith(SECRETIVE):
            case.headers.pop("X-Org-Id", None)
        if "wait_s" in (case.query or {}):
            case.query["wait_s"] = 0  # nobody is there who would do what it waits for

    def validate_response(
        self,
        response: schemathesis.Response,
        case: Case,
        additional_checks: list[Check] | None = None,
        **rest: object,
    ) -> None:
        case.validate_response(response, checks=[*CHECKS, openapi_checks.use_after_free])
        self._note(case, response)

    def _note(self, case: Case, response: schemathesis.Response) -> None:
        """What was made is there until it is deleted."""
        path = case.formatted_path
        if path.startswith(SECRETIVE):
            return
        if case.method == "POST" and response.status_code == links.CREATED:
            self._made.add(f"{path}/{response.json()['id']}")
        elif case.method == "DELETE" or path.endswith("/delete"):
            above = path.removesuffix("/delete")
            self._made = {one for one in self._made if not one.startswith(above)}
        elif case.method == "GET" and path in self._made:
            assert response.status_code != 404, f"{path} was made and is not there"


class TestPeople(People.TestCase):
    settings = settings(
        max_examples=STORIES,
        stateful_step_count=STEPS,
        deadline=None,
        derandomize=True,
        phases=[Phase.generate],  # to shrink a story takes minutes, and it can be read as it is
        # Few stories with large documents: slowness and filtering say nothing here.
        suppress_health_check=[
            HealthCheck.data_too_large,
            HealthCheck.filter_too_much,
            HealthCheck.large_base_example,
            HealthCheck.too_slow,
        ],
    )


def test_a_message_that_was_posted_leads_to_its_receipt() -> None:
    (route,) = [route for route in ROUTES if route.operation_id == "create_message"]

    assert links.of(route, ROUTES)["get_receipt"] == {
        "operationId": "get_receipt",
        "parameters": {
            "session_id": "$request.path.session_id",
            "message_id": "$response.body#/id",
        },
    }
