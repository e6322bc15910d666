"""Clients of a running node, over Perspective Broker."""
