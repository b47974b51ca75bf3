class StartProblem(Exception):
    """What keeps the stack from running, as one line that also says what to do."""


class Refused(StartProblem):
    """The API answered with a problem; `detail` is what it says of it in words."""

    def __init__(self, asked: str, status: int, detail: str) -> None:
        super().__init__(f"{asked} was answered {status}: {detail}")
        self.detail = detail


class BadEnvironment(StartProblem):
    """Environment variables that cannot be used; one line for each."""

    def __init__(self, lines: list[str]) -> None:
        super().__init__("\n".join(lines))
