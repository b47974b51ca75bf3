"""Development only: servers, clock, builders and faults for tests."""
