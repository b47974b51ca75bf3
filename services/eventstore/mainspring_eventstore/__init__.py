"""The session log: appends deltas, reads, lists and verifies, on 9003."""
