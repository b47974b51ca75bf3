"""Settings, lifecycle, health and telemetry of every service."""
