"""Safeguards that one run's own database does without: a run that stays green proves nothing.

Nothing of this is in a migration or a service: the functions of that database are replaced.
"""

import asyncio
from typing import Final, NamedTuple

from mainspring_local.stack import Stack

OUTCOME_NAMES: Final = ("running", "completed", "failed", "cancelled", "sealed")


class Replaced(NamedTuple):
    """In every function of schema engine whose source has it."""

    what: str
    by: str
    times: int


SAFEGUARDS: Final[dict[str, tuple[Replaced, ...]]] = {
    "fence": (
        Replaced("t.fence = a.fence and t.state = a.expected", "t.state = a.expected", 2),
        Replaced("and r.fence = g.fence and", "and", 2),
    ),
}
_REPLACE: Final = """
do $$
declare
    v_function oid;
    v_times int := 0;
begin
    for v_function in
        select p.oid from pg_proc as p
        inner join pg_namespace as n on p.pronamespace = n.oid
        where n.nspname = 'engine' and strpos(p.prosrc, {what}) > 0
    loop
        execute replace(pg_get_functiondef(v_function), {what}, {by});
        v_times := v_times + 1;
    end loop;
    if v_times = 0 then
        raise exception 'no function of engine has %', {what};
    end if;
end
$$
"""


async def take_away(stack: Stack, name: str) -> None:
    """Raises StartProblem where a safeguard is no longer found as it was written."""
    for one in SAFEGUARDS[name]:
        statement = _REPLACE.replace("{what}", _quoted(one.what)).replace("{by}", _quoted(one.by))
        await asyncio.to_thread(stack.postgres.psql, "-c", statement)


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
