"""OpenAPI links: where what a POST has made can be asked for, changed and deleted.

They are read off the paths: a POST to `/things` that creates one leads to each operation below
`/things/{thing_id}` that needs no other id.
"""

from collections.abc import Sequence
from typing import Final

from mainspring_api.adapters.http.routing import Route

Json = dict[str, object]
CREATED: Final = 201
_MADE: Final = "$response.body#/id"
_ORGANIZATION: Final = {"header.X-Org-Id": _MADE}
"""An organization is seen by nobody but itself."""


def of(route: Route, routes: Sequence[Route]) -> Json:
    """The links of a route's answer, by the operations that they lead to; empty for most."""
    if route.status != CREATED or route.answer is None:
        return {}
    above = route.parameters
    same = {name: f"$request.path.{name}" for name in above}
    return {
        below.operation_id: {
            "operationId": below.operation_id,
            "parameters": same
            | {below.parameters[-1]: _MADE}
            | (_ORGANIZATION if below.parameters[-1] == "org_id" else {}),
        }
        for below in routes
        if below.path.startswith(f"{route.path}/{{") and len(below.parameters) == len(above) + 1
    }
