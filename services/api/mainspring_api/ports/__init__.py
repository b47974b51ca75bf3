"""What api needs of the outside, in its own words."""
