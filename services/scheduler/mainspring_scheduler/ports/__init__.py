"""What the use cases need, in the words of the domain."""
