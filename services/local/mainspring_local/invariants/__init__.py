"""What must hold in every snapshot of the database."""
