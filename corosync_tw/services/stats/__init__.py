"""Counters and times of a node, and the map in which clients read them."""
