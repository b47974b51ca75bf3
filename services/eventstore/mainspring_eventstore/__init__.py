"""The session log: append deltas, read, verify and export on 9003."""
