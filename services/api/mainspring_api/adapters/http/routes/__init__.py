"""The routes, by group."""
