"""Deterministic cluster simulator."""
