"""What the scheduler can do."""
