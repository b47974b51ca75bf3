import io

import pytest

from mainspring_local import organizations
from mainspring_local.console import Console
from mainspring_local.errors import StartProblem
from mainspring_testkit.servers import free_port


async def test_without_a_stack_a_verb_says_what_to_do() -> None:
    with pytest.raises(StartProblem, match=r"nothing answers at .*start a stack with `./task up`"):
        await organizations.create(
            f"http://127.0.0.1:{free_port()}", "acme", Console(io.StringIO())
        )
