"""Scripts that see the session's files and nothing of this machine."""
