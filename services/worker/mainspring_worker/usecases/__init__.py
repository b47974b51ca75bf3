"""What a worker does: carries out tasks, and streams what comes of them."""
