"""The `mainspring` command: the five services composed for one machine."""
