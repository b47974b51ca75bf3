"""The budgets that a session falls under, as its own agent may see them."""

from mainspring_api.domain.budgets import subjects_over
from mainspring_api.domain.limits import BUDGETS_MAX
from mainspring_api.usecases.keeper import Keeper
from mainspring_kernel.errors import NotFound
from mainspring_kernel.ids import TaskId
from mainspring_schema.budgets import Budgets, ListBudgets
from mainspring_schema.frames import Held


async def own(keeper: Keeper, held: Held) -> Budgets:
    """The engine is asked outside of transactions.

    Raises LeaseLost, NotFound for a session that is gone, Unavailable.
    """
    async with keeper.store.held_transaction(TaskId(held.task_id), held.fence) as holding:
        session = await holding.tx.session(holding.session_id)
    if session is None:
        detail = "the session is gone"
        raise NotFound(detail)
    asked = ListBudgets(org_id=session.org_id, subjects=subjects_over(session), limit=BUDGETS_MAX)
    return await keeper.path.configurations.operator.inspect(asked)
