"""Loops that touch every message's bytes."""
