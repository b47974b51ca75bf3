"""The outside: engine stream, event store, model providers, tools."""
