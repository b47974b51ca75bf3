"""Settings, lifecycle, logs, metrics and traces of every service."""
