"""What a request to a model is known by: hashes, not copies, stand in the log.

A worker hashes what it sends, a replay what it rebuilds; both ask here.
"""

from hashlib import sha256

from mainspring_harness.prompt import Blueprint, system_prompt
from mainspring_harness.transcript import Transcript
from mainspring_schema.codec import canonical_json


def stable_digest(plan: Blueprint, system: str | None = None) -> bytes:
    """Of all that the prompts of one configuration share, but the messages."""
    text = system_prompt(plan) if system is None else system
    stable = (plan.agent.model, text, plan.definitions, plan.agent.parallel_tool_calls)
    return sha256(canonical_json(stable)).digest()


def request_hash(stable: bytes, transcript: Transcript, reasoning_effort: str | None) -> bytes:
    digest = sha256(stable)
    digest.update(transcript.digest)
    digest.update((reasoning_effort or "").encode())
    return digest.digest()
