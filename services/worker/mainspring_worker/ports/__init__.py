"""What the worker asks of the world, in its own words."""
