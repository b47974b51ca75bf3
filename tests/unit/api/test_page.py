"""The page that shows the OpenAPI document."""

import re

from mainspring_api.adapters.http import openapi, page
from mainspring_api.adapters.http.app import all_routes
from mainspring_api.adapters.http.wire.conversation import StreamQuery


def test_every_link_of_the_page_leads_to_the_one_place_of_that_name() -> None:
    text = page.render(openapi.document(all_routes(), StreamQuery)).decode()

    names = re.findall(r' id="([^"]+)"', text)
    links = set(re.findall(r'href="#([^"]+)"', text))

    assert links
    assert links <= set(names)
    assert len(names) == len(set(names))
