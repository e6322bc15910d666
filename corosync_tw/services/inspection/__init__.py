"""Nodes of ours ask each other for what a diagnosis needs, through the ring."""
