"""Logging subsystems, levels and targets."""
