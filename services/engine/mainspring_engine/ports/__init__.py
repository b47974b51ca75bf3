"""What the engine needs of others, in its own words."""
