"""REST and SSE on 9000 and the ResourceService for workers on 9002."""
