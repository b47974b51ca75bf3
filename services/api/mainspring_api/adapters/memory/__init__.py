"""The twins that keep everything in memory."""
