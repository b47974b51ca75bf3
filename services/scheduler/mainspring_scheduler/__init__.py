"""Drives time: sweeps, schedules and upkeep."""
