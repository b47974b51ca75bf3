"""A worker's stream with an engine: frames, leases, credits, and the attempts that come over it."""
