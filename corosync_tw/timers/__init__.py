"""Clocks: monotonic reactor time, process pauses."""
