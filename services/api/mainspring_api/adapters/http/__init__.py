"""REST and SSE."""
