import io

from mainspring_local.console import Console


def test_what_one_says_stays_in_one_column() -> None:
    said = io.StringIO()
    console = Console(said)

    console.line("tool", "first\nsecond")
    console.begin("agent")
    console.more("third\nfou")
    console.more("rth")
    console.line("outcome", "done")

    assert said.getvalue().splitlines() == [
        "tool       | first",
        "           | second",
        "agent      | third",
        "           | fourth",
        "outcome    | done",
    ]
