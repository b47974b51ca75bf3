"""What operators ask of an engine, wired by hand as its part of `main`."""

from msgspec import Struct

from mainspring_engine.domain.holds import HoldTimes
from mainspring_engine.ports.backstage import Backstage
from mainspring_engine.ports.gates import GateStore
from mainspring_engine.ports.store import Store
from mainspring_engine.usecases.budgets import Budgeted, Budgets
from mainspring_engine.usecases.deliveries import Inbox
from mainspring_engine.usecases.explaining import Explaining
from mainspring_engine.usecases.inspecting import Inspector
from mainspring_engine.usecases.lane import Lanes
from mainspring_engine.usecases.letters import DeadLetters
from mainspring_engine.usecases.operating import Operator
from mainspring_engine.usecases.plain_tasks import PlainTasks
from mainspring_engine.usecases.registry import Workers
from mainspring_kernel.clock import Clock
from mainspring_kernel.ids import Ids


class BackOffice(Struct, frozen=True, kw_only=True):
    """`inspector` also serves those who scrape."""

    inspector: Inspector
    operator: Operator


def back_office(  # noqa: PLR0913 - one named part each
    *,
    backstage: Backstage,
    store: Store,
    gates: GateStore,
    workers: Workers,
    lanes: Lanes,
    plain: PlainTasks,
    budgeted: Budgeted,
    holds: HoldTimes,
    clock: Clock,
    ids: Ids,
) -> BackOffice:
    inspector = Inspector(inspection=backstage.inspection, store=store, holds=holds, clock=clock)
    letters = DeadLetters(
        letters=backstage.letters,
        inspection=backstage.inspection,
        lanes=lanes,
        plain=plain,
        clock=clock,
        ids=ids,
    )
    operator = Operator(
        inspector=inspector,
        workers=workers,
        letters=letters,
        explaining=Explaining(backstage.snapshots, gates, holds),
        budgets=Budgets(store.budgets, budgeted, lanes, ids),
        inbox=Inbox(store.inbox, lanes),
        plain=plain,
    )
    return BackOffice(inspector=inspector, operator=operator)
