"""What people ask of an engine beside turns and workflows, wired by hand as a part of `main`."""

from msgspec import Struct

from mainspring_engine.domain.holds import HoldTimes
from mainspring_engine.ports.backstage import Backstage
from mainspring_engine.ports.gates import GateStore
from mainspring_engine.ports.outside import Announcer, Witness
from mainspring_engine.ports.store import Store
from mainspring_engine.usecases.attachments import Attachments
from mainspring_engine.usecases.backpressure import Backpressure
from mainspring_engine.usecases.budgets import Budgeted, Budgets
from mainspring_engine.usecases.deliveries import Inbox
from mainspring_engine.usecases.explaining import Explaining
from mainspring_engine.usecases.inspecting import Inspector
from mainspring_engine.usecases.lane import Lanes
from mainspring_engine.usecases.letters import DeadLetters
from mainspring_engine.usecases.operating import Operator
from mainspring_engine.usecases.plain_tasks import PlainTasks
from mainspring_engine.usecases.plain_traces import PlainTraces
from mainspring_engine.usecases.registry import Workers
from mainspring_kernel.clock import Clock
from mainspring_kernel.ids import Ids


class BackOffice(Struct, frozen=True, kw_only=True):
    """`inspector` also serves those who scrape."""

    inspector: Inspector
    operator: Operator
    plain: PlainTasks


def back_office(  # noqa: PLR0913 - one named part each
    *,
    backstage: Backstage,
    store: Store,
    gates: GateStore,
    workers: Workers,
    lanes: Lanes,
    attachments: Attachments,
    pressure: Backpressure,
    announcer: Announcer,
    witness: Witness,
    budgeted: Budgeted,
    holds: HoldTimes,
    clock: Clock,
    ids: Ids,
) -> BackOffice:
    plain = PlainTasks(
        lanes=lanes,
        store=store,
        letters=backstage.letters,
        pressure=pressure,
        clock=clock,
        attachments=attachments,
        announcer=announcer,
        traces=PlainTraces(store, witness, clock),
    )
    inspector = Inspector(inspection=backstage.inspection, store=store, holds=holds, clock=clock)
    operator = Operator(
        inspector=inspector,
        workers=workers,
        letters=_letters(backstage, store, lanes, plain, clock, ids),
        explaining=Explaining(backstage.snapshots, gates, holds),
        budgets=Budgets(store.budgets, budgeted, lanes, ids),
        inbox=Inbox(store.inbox, lanes),
        plain=plain,
    )
    return BackOffice(inspector=inspector, operator=operator, plain=plain)


def _letters(
    backstage: Backstage, store: Store, lanes: Lanes, plain: PlainTasks, clock: Clock, ids: Ids
) -> DeadLetters:
    return DeadLetters(
        store=store,
        letters=backstage.letters,
        inspection=backstage.inspection,
        lanes=lanes,
        plain=plain,
        clock=clock,
        ids=ids,
    )
