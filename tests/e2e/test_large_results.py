"""A tool that says more than an event may hold: the model sees a part, a file has the whole."""

from typing import cast

import msgspec
import pytest

from tests.e2e.follower import Json
from tests.e2e.gated import PRINTED_BYTES
from tests.e2e.rig import Rig, Script, calls

pytestmark = [
    pytest.mark.stack,
    pytest.mark.timeout(120),
    pytest.mark.xdist_group("durability"),
]


async def test_a_large_result_can_be_read_over_rest_where_the_model_was_told(rig: Rig) -> None:
    script = Script([calls(("print_much", {"gate": "words"})), {"text": "That was much."}])
    session = await rig.session()
    async with rig.following(session) as follower:
        await rig.say(session, script.text())
        told = await follower.until_type("tool.completed")
        outcome = await follower.until_outcome()

    (part,) = cast("list[Json]", told.data["result"])
    shown = msgspec.json.decode(str(part["text"]), type=Json)
    file = await rig.call("GET", f"/sessions/{session}/fs{shown['output_file']}")
    whole = "words " * (PRINTED_BYTES // 6)
    assert outcome.type == "turn.completed"
    assert (shown["truncated"], shown["bytes_total"]) == (True, len(whole))
    assert whole.startswith(str(shown["preview"]))
    assert (file["content"], file["size_bytes"]) == (whole, len(whole))
    await rig.assert_sound()
