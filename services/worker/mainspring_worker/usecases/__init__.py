"""What a worker does: keeps its stream, carries out tasks, streams what comes of them."""
