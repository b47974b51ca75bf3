"""The recipes of the cookbook: played by the simulated model, and by a real one where a key is."""

import asyncio
import os
import re
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import cast

import pytest

from tests.e2e.follower import PATIENCE_S, Json
from tests.e2e.rig import Rig
from tests.integration.web.site import Site, plain, site

pytestmark = [
    pytest.mark.stack,
    pytest.mark.slow,
    pytest.mark.timeout(120),
    pytest.mark.xdist_group("durability"),
]
COOKBOOK = Path(__file__).resolve().parents[2] / "docs" / "cookbook"
RECIPE = re.compile(
    r"^## `(?P<name>\w+)\.py`$.*?^```text\n(?P<printed>.*?)\n```$", re.DOTALL | re.MULTILINE
)
PRINTED = {
    found["name"]: found["printed"]
    for found in RECIPE.finditer((COOKBOOK / "README.md").read_text())
}
KEYS = {"openai": "OPENAI_API_KEY", "anthropic": "ANTHROPIC_API_KEY", "gemini": "GEMINI_API_KEY"}
GIVEN = [provider for provider, key in KEYS.items() if os.environ.get(key)]
PAGES = {
    "/tides": "<h1>Tides</h1><p>High water is at 06:12.</p>",
    "/ferry": "<h1>Ferry</h1><p>It leaves at 06:40, at high water only.</p>",
}


@pytest.fixture
async def web() -> AsyncIterator[Site]:
    async with site() as made:
        made.answers |= {path: plain(page, kind="text/html") for path, page in PAGES.items()}
        yield made


async def cooked(rig: Rig, web: Site, recipe: str, **environment: str) -> str:
    """What the recipe prints."""
    sources = ["When does the ferry sail?", *(web.url(page) for page in PAGES)]
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-W", "ignore::DeprecationWarning"),
        str(COOKBOOK / f"{recipe}.py"),
        *(sources if recipe == "research" else ()),
        env=os.environ | {"EVERRUNS_API_URL": f"{rig.stack.api_url}/api"} | environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(PATIENCE_S):
            printed, told = await process.communicate()
    except TimeoutError:
        process.kill()
        raise
    assert process.returncode == 0, told.decode()
    return printed.decode().strip("\n")


@pytest.mark.parametrize("recipe", PRINTED)
async def test_a_recipe_prints_what_its_page_says(rig: Rig, web: Site, recipe: str) -> None:
    printed = await cooked(rig, web, recipe)

    assert printed == PRINTED[recipe].strip("\n")
    fetched = sorted(head.split(" ")[1] for head in web.asked)
    assert fetched == (sorted(PAGES) if recipe == "research" else [])


@pytest.mark.skipif(not GIVEN, reason=f"no real model: none of {', '.join(KEYS.values())} is set")
@pytest.mark.parametrize("recipe", PRINTED)
async def test_a_real_model_follows_the_recipe(rig: Rig, web: Site, recipe: str) -> None:
    models = cast("list[Json]", (await rig.call("GET", "/models"))["data"])
    mine = next(model for model in models if model["provider_type"] == GIVEN[0])

    printed = await cooked(rig, web, recipe, COOKBOOK_MODEL=str(mine["id"]))

    assert printed


def test_the_page_tells_every_recipe() -> None:
    recipes = {file.stem for file in COOKBOOK.glob("*.py")} - {"kitchen"}

    assert recipes == set(PRINTED)
    assert recipes == {file.stem for file in (COOKBOOK / "scripts").glob("*.json")}
