"""An agent that mends a program: it runs the test, reads, edits by content hash, runs it again."""

import asyncio

from everruns_sdk.models import AgentCapabilityConfig, InitialFile

from kitchen import kitchen

PROMPT = (
    "You mend shell scripts. Run the test first. Change as little as you can, then run it again."
)
TOTAL = """\
# Prints what all orders of a file cost together.
awk -F, '{ total = $2 } END { print total }' "$1"
"""
TEST = """\
printf 'A-17,12\\nA-18,30\\n' > /tmp/orders.csv
test "$(bash total.sh /tmp/orders.csv)" = 42 && echo passed || echo failed
"""


async def main() -> None:
    async with kitchen("coding_helper") as here:
        agent = await here.client.agents.create(
            "coding-helper", PROMPT, capabilities=[AgentCapabilityConfig(ref="bashkit_shell")]
        )
        session = await here.client.sessions.create(
            agent_id=agent.id,
            model_id=here.model_id,
            initial_files=[
                InitialFile(path="total.sh", content=TOTAL),
                InitialFile(path="test.sh", content=TEST, is_readonly=True),
            ],
        )
        await here.ask(session.id, "test.sh fails. Mend total.sh.")
        mended = await here.client.workspace_files.read(session.workspace_id, "total.sh")
        print(mended.content)


asyncio.run(main())
