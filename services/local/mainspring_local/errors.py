class StartProblem(Exception):
    """What keeps the stack from running, as one line that also says what to do."""


class BadEnvironment(StartProblem):
    """Environment variables that cannot be used; one line for each."""

    def __init__(self, lines: list[str]) -> None:
        super().__init__("\n".join(lines))
