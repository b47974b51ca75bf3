"""Reads of the public web."""
