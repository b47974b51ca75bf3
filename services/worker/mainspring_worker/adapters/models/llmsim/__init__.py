"""The simulated model: all that a turn must survive, without a key and without a network."""
