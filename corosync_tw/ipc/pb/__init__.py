"""Perspective Broker server."""
