"""What the engine does: read, decide, write in one transaction, then wake."""
