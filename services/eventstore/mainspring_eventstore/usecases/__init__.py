"""One module per thing the event store can do."""
