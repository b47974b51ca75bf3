"""Postgres and NATS from wheels, as programs of our own supervisor."""
