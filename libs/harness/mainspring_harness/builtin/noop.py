"""A capability that contributes nothing."""

from mainspring_harness.capability import Capability, Info

NOOP = Capability(
    info=Info(
        id="noop",
        name="No-op",
        description="Contributes nothing; for tests and demonstrations.",
        status="available",
        category="testing",
    )
)
