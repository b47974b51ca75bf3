"""Tools of capabilities that a deployer added in process: their code, called as ours is."""

from collections.abc import Iterator

from msgspec import structs

from mainspring_harness.calling import ToolError, ToolFunction
from mainspring_harness.capability import Info
from mainspring_harness.registry import Registry
from mainspring_schema.agents import ToolDefinition, ToolHints
from mainspring_schema.messages import Json
from mainspring_worker.adapters.builtin_tools.function import Function, FunctionTool, error
from mainspring_worker.ports.tool import ToolContext, ToolOutcome


def own_tools(registry: Registry) -> Iterator[FunctionTool]:
    """Those whose capabilities bring their code along."""
    for capability in registry.with_code():
        info = capability.info
        for definition in capability.tools({}):
            code = capability.code.get(definition.name)
            if code is None:
                continue  # the client carries it out
            probe = capability.probes.get(definition.name)
            prober = None if probe is None else _called(probe, info)
            yield FunctionTool(_apart(definition), info.id, _called(code, info), prober)


def _apart(definition: ToolDefinition) -> ToolDefinition:
    """Never in place: nobody here knows how long it keeps the loop on which the worker beats."""
    hints = structs.replace(definition.hints or ToolHints(), long_running=True)
    return structs.replace(definition, hints=hints)


def _called(code: ToolFunction, info: Info) -> Function:
    names = frozenset((info.id, *info.aliases))

    async def call(arguments: Json, context: ToolContext) -> ToolOutcome:
        told = structs.replace(context, config=_config(context, names))
        try:
            return ToolOutcome(result=await code(arguments, told))
        except ToolError as refusal:
            return error(str(refusal))

    return call


def _config(context: ToolContext, names: frozenset[str]) -> Json:
    """What the agent configured; nothing where the capability came along with another one."""
    refs = () if context.agent is None else context.agent.capabilities
    found = next((ref.config for ref in refs if ref.ref in names), None)
    return found or {}
