"""Postgres, memory, NATS and gRPC behind the event store's ports."""
