"""The flight recorder: what happens to a node, written as it happens, put into words when read."""
