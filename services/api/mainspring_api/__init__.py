"""REST and SSE on 9000, ResourceService and SessionService for the other services on 9002."""
