"""Which capabilities exist, and which of them an agent ends up with."""

from collections.abc import Iterable, Sequence

from mainspring_harness import arguments, toolsets
from mainspring_harness.capability import Applied, Capability, CatalogueEntry
from mainspring_harness.errors import (
    CapabilityConflict,
    CapabilityCycle,
    InvalidCapabilityConfig,
    TooManyCapabilities,
    UnknownCapability,
)
from mainspring_kernel import limits
from mainspring_schema.agents import CapabilityRef
from mainspring_schema.messages import Json


class Registry:
    """All capabilities of this version by id and alias."""

    def __init__(self, capabilities: Iterable[Capability]) -> None:
        """Raises ValueError for an id or alias that is taken, or a dependency that is not there."""
        self._by_id: dict[str, Capability] = {}
        self._names: dict[str, Capability] = {}
        for capability in capabilities:
            self._by_id[capability.info.id] = capability
            for name in (capability.info.id, *capability.info.aliases):
                if name in self._names:
                    message = f"the capability name {name!r} is taken"
                    raise ValueError(message)
                self._names[name] = capability

    def find(self, ref: str) -> Capability:
        """The capability of that id or alias, or of a set of announced tools.

        Raises UnknownCapability; retired ones are unknown.
        """
        capability = self._names.get(ref) or toolsets.capability(ref)
        if capability is None or capability.info.status == "retired":
            raise UnknownCapability(ref)
        return capability

    def catalogue(self) -> tuple[CatalogueEntry, ...]:
        """Everything that is not retired, sorted by id."""
        return tuple(
            CatalogueEntry(info=capability.info, tool_definitions=capability.tools({}))
            for _, capability in sorted(self._by_id.items())
            if capability.info.status != "retired"
        )

    def with_code(self) -> tuple[Capability, ...]:
        """Those that bring along what carries their tools out."""
        return tuple(one for one in self._by_id.values() if one.code)

    def resolve(self, refs: Sequence[CapabilityRef]) -> tuple[Applied, ...]:
        """The capabilities of `refs` with all they depend on, each once, dependencies first.

        Otherwise the order of `refs` is kept. Raises UnknownCapability, CapabilityCycle,
        TooManyCapabilities, InvalidCapabilityConfig or CapabilityConflict.
        """
        configs: dict[str, Json] = {}
        for ref in refs:
            configs[self.find(ref.ref).info.id] = dict(ref.config or {})
        walk = _Walk(self, configs)
        for id_ in configs:
            walk.visit(id_, path=())
        applied = tuple(walk.done.values())
        _check_names(applied)
        return applied


class _Walk:
    """A depth-first walk over dependencies; what it left is in topological order."""

    def __init__(self, registry: Registry, configs: dict[str, Json]) -> None:
        self._registry = registry
        self._configs = configs
        self.done: dict[str, Applied] = {}

    def visit(self, ref: str, *, path: tuple[str, ...]) -> None:
        """Applies what `ref` depends on, then `ref`; `path` holds those that wait for it.

        Raises UnknownCapability, CapabilityCycle, TooManyCapabilities, InvalidCapabilityConfig.
        """
        needed_by = path[-1] if path else None
        try:
            capability = self._registry.find(ref)
        except UnknownCapability:
            raise UnknownCapability(ref, needed_by=needed_by) from None
        id_ = capability.info.id
        if id_ in path:
            raise CapabilityCycle((*path[path.index(id_) :], id_))
        if id_ in self.done:
            return
        if len(self.done) + len(path) >= limits.CAPABILITIES_PER_AGENT_MAX:
            raise TooManyCapabilities(limits.CAPABILITIES_PER_AGENT_MAX)
        for dependency in capability.info.dependencies:
            self.visit(dependency, path=(*path, id_))
        config = self._configs.get(id_, {})
        _check_config(capability, config)
        for dependency in capability.needs(config):
            self.visit(dependency, path=(*path, id_))
        asked = id_ in self._configs
        self.done[id_] = Applied(
            capability=capability, config=config, needed_by=None if asked else needed_by
        )


def _check_config(capability: Capability, config: Json) -> None:
    info = capability.info
    found: tuple[str, ...] = ()
    if info.config_schema is not None:
        found = arguments.problems(info.id, info.config_schema, config)
    elif config:
        found = (f"takes no configuration, got {', '.join(sorted(config))}",)
    found = found or capability.config_problems(config)
    if found:
        raise InvalidCapabilityConfig(info.id, found)


def _check_names(applied: Sequence[Applied]) -> None:
    """A model knows a tool by its name alone: two of one name are nobody's intention."""
    first: dict[str, str] = {}
    for one in applied:
        for definition in one.capability.tools(one.config):
            by = first.setdefault(definition.name, one.id)
            if by != one.id:
                raise CapabilityConflict(definition.name, by, one.id)
