"""Where the use cases meet HTTP, gRPC, Postgres and NATS."""
