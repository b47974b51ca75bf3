"""A support desk: the agent looks things up alone, and whatever it writes waits for a person.

The application calls it through a channel, by a key that opens this one agent.
"""

import asyncio
import json

import httpx
from everruns_sdk import AgentClient
from everruns_sdk.models import AgentCapabilityConfig, InitialFile

from kitchen import Kitchen, kitchen, told

PROMPT = """\
You are a support desk. Orders are files in orders/. To refund one write refunds/<order>.json with
{"cents": …}, and tell the customer what was really written: a person may change your refund."""
ORDER = {"order": "A-17", "article": "lamp", "cents": 4200, "state": "delivered"}
APPROVAL = {"mode": "off", "tools": {"write_file": "ask", "edit_file": "ask"}}
REFUND_CENTS_MAX = 1500


async def main() -> None:
    async with kitchen("support_desk") as here, await opened(here) as desk:
        session = (await desk.create_session("The broken lamp"))["id"]
        complaint = here.played("The lamp of my order A-17 came broken. Can I have money back?")
        await desk.send_message(session, complaint)
        async for event in told(desk.stream_events(session, after_sequence=0)):
            if event.type == "approval.requested":
                await decide(desk, session)


async def opened(here: Kitchen) -> AgentClient:
    """A channel to the agent, as its application opens it."""
    agent = await here.client.agents.create(
        "support-desk",
        PROMPT,
        default_model_id=here.model_id,
        capabilities=[
            AgentCapabilityConfig(ref="session_file_system"),
            AgentCapabilityConfig(ref="tool_approval", config=APPROVAL),
        ],
        initial_files=[InitialFile(path="orders/A-17.json", content=json.dumps(ORDER))],
    )
    async with httpx.AsyncClient(base_url=f"{here.url}/v1/agents/{agent.id}/") as http:
        made = await http.post("channels", json={"delegates_approvals": True})
    channel = made.raise_for_status().json()
    url = f"{here.url}/v1/channels/{channel['id']}"
    return AgentClient(url, channel["keys"][0]["key"])


async def decide(desk: AgentClient, session: str) -> None:
    """What a person would do: allow a small refund, make a large one smaller."""
    for held in (await desk.get_session(session))["pending_approvals"]:
        asked = json.loads(held["arguments"]["content"])["cents"]
        given = min(asked, REFUND_CENTS_MAX)
        print(f"  (it asks for {asked / 100:.2f}, a person gives {given / 100:.2f})")
        edited = {**held["arguments"], "content": json.dumps({"cents": given})}
        decision = {
            "tool_call_id": held["tool_call_id"],
            "decision": "allow",
            "arguments": edited,
        }
        await desk.submit_tool_approvals(session, {"decisions": [decision]})


asyncio.run(main())
