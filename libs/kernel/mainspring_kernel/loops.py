"""The event loop of processes and threads that are our own."""

import asyncio


def new_loop() -> asyncio.AbstractEventLoop:
    """uvloop's, which is faster, where it is installed."""
    try:
        import uvloop  # noqa: PLC0415 - there are machines without it, and asyncio's own loop works
    except ImportError:
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()
