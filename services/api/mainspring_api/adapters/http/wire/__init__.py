"""Bodies as they stand on the wire, and their way to and from the resources."""
