"""For tests only: servers, databases, processes and scripts."""
