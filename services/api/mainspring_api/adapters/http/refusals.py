"""What is refused before it is a request: each ends the connection."""

from mainspring_kernel.errors import MainspringError


class MalformedRequest(MainspringError):
    """The request line, a header or the body's framing is no HTTP. The connection is closed."""

    code = "malformed_request"
    status = 400
    title = "Malformed request"


class HeadersTooLarge(MainspringError):
    """The target and headers of a request are over their bound. The connection is closed."""

    code = "headers_too_large"
    status = 431
    title = "Headers too large"

    def __init__(self, bytes_max: int) -> None:
        super().__init__(
            f"the target and headers of a request may have at most {bytes_max} bytes",
            data={"bytes_max": bytes_max},
        )


class RequestTimeout(MainspringError):
    """A request did not arrive whole in time. Nothing was done; the connection is closed."""

    code = "request_timeout"
    status = 408
    title = "The request did not arrive in time"
