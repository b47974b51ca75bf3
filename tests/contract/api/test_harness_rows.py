"""Who stands below a harness, asked of both stores."""

import msgspec

from mainspring_api.ports.store import Store
from mainspring_kernel.ids import DEFAULT_ORG_ID
from tests.contract.api.test_store_contract import new_agent, new_harness


async def test_who_rests_on_a_harness_is_counted_until_it_is_deleted(store: Store) -> None:
    root = new_harness("root")
    child = new_harness("child", root.id)
    grandchild = new_harness("grandchild", child.id)
    agent = msgspec.structs.replace(new_agent(status="archived"), harness_id=child.id)
    async with store.transaction(DEFAULT_ORG_ID) as tx:
        for one in (root, child, grandchild):
            await tx.put_harness(one)
        await tx.put_agent(agent)
        below = [await tx.generations(one.id) for one in (root, child, grandchild)]
        before = [await tx.rests_on(one.id) for one in (root, child, grandchild)]
        await tx.put_harness(msgspec.structs.replace(grandchild, status="deleted"))
        await tx.put_agent(msgspec.structs.replace(agent, status="deleted"))
        after = [await tx.rests_on(child.id), await tx.generations(root.id)]
        alone = await tx.generations(child.id)

    assert (below, before, after, alone) == ([2, 1, 0], [1, 2, 0], [0, 1], 0)
