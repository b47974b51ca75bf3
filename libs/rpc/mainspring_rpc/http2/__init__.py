"""gRPC over HTTP/2 on asyncio: both ends, as far as this house uses it.

No TLS, no compression, no server push, no priorities; see docs/adr/0015. `hpack` does the headers.
"""
