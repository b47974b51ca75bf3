"""An agent that gives each source to a child, and writes from what the children bring back.

`python research.py QUESTION URL URL`; pages inside private networks are not fetched.
"""

import asyncio
import sys

from everruns_sdk.models import AgentCapabilityConfig

from kitchen import kitchen

PROMPT = """\
You answer questions from sources. Give each source to a child agent of its own, all in one answer;
tell it the question and the URL, and that it shall return facts of that page alone. Then answer in
one sentence, with the number of the source behind each fact, such as [1]."""
QUESTION = "When is high water, and which ferry sails then?"
SOURCES = ("https://example.com/tides", "https://example.com/ferry")


async def main(question: str, first: str, second: str) -> None:
    async with kitchen("research", first=first, second=second) as here:
        agent = await here.client.agents.create(
            "researcher",
            PROMPT,
            capabilities=[
                AgentCapabilityConfig(ref="web_fetch"),
                AgentCapabilityConfig(ref="subagents", config={"max_depth": 1, "max_width": 2}),
            ],
        )
        session = await here.client.sessions.create(agent_id=agent.id, model_id=here.model_id)
        await here.ask(session.id, f"{question}\n[1] {first}\n[2] {second}")


if __name__ == "__main__":
    asyncio.run(main(*(sys.argv[1:] or (QUESTION, *SOURCES))))
