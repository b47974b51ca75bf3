"""One module per thing that the scheduler can do."""
