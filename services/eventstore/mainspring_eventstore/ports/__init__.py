"""What the event store's use cases need from outside."""
