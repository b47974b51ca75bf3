"""What api decides: pure functions and structs."""
