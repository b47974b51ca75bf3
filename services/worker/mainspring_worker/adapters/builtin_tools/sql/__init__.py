"""SQL on databases of a session."""
