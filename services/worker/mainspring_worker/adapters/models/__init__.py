"""Drivers: the simulator, and the providers' own libraries behind one layer."""
