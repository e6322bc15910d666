"""Servers for local clients."""
