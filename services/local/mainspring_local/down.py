"""Stops the stack that owns a home, and whatever a crashed owner left running."""

from mainspring_local import home as homes
from mainspring_local import identity
from mainspring_local.console import Console
from mainspring_local.errors import StartProblem
from mainspring_local.supervisor import end_orphans

STOP_SECONDS_MAX = 60.0


def stop(home: homes.Home, console: Console) -> int:
    owner = homes.lock_owner(home)
    if owner is not None:
        console.say(f"asking the stack (pid {owner.pid}) to stop; it drains first")
        identity.send(owner, owner.stop_signal)
        if not identity.wait_gone(owner, STOP_SECONDS_MAX):
            raise StartProblem(
                f"pid {owner.pid} did not stop in {STOP_SECONDS_MAX:.0f} s; "
                f"see {home.logs}, then end it with `kill -9 {owner.pid}` and repeat `./task down`"
            )
    orphans = end_orphans(home.records, console.say) if home.records.is_dir() else 0
    console.say("nothing was running" if owner is None and not orphans else "stopped")
    return 0
