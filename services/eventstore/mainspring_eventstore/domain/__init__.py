"""Pure rules of the session log."""
