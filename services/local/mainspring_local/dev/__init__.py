"""`mainspring dev`: the services in one process, over their memory twins."""
