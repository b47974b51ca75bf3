"""Structs that cross a process: events, commands, tasks, subjects, codec."""
