"""The built-in tools, carried out in this process."""
