"""Clients of engine and eventstore, and the server for workers."""
