"""An agent that loads data into SQL, asks it, and answers with JSON that a program reads on."""

import asyncio
import json

from everruns_sdk.models import AgentCapabilityConfig

from kitchen import kitchen

PROMPT = "You are an analyst. Put what you are given into tables, and find answers by SQL alone."
QUESTION = """\
What did each city bring in? The most first.

day,city,cents
2026-11-02,Oslo,1200
2026-11-02,Bergen,3000
2026-11-03,Oslo,2600
2026-11-04,Bergen,400
"""
CITY = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "cents": {"type": "integer"}},
    "required": ["city", "cents"],
}
ANSWER = {
    "type": "object",
    "properties": {"cities": {"type": "array", "items": CITY}},
    "required": ["cities"],
}


async def main() -> None:
    async with kitchen("data_analyst") as here:
        agent = await here.client.agents.create(
            "data-analyst",
            PROMPT,
            capabilities=[
                AgentCapabilityConfig(ref="session_sql_database"),
                AgentCapabilityConfig(ref="structured_output", config={"schema": ANSWER}),
            ],
        )
        session = await here.client.sessions.create(agent_id=agent.id, model_id=here.model_id)
        answer = await here.ask(session.id, QUESTION)
        for row in json.loads(answer)["cities"]:
            print(f"{row['city']:<8}{row['cents'] / 100:>8.2f}")


asyncio.run(main())
