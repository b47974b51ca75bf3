"""Tier folding, capability registry and prompt builder; pure."""
