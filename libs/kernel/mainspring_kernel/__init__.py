"""Clock, ids, backoff, limits and errors; standard library only."""
