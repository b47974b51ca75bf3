"""What decides: duties, calendars, slots. Pure."""
