"""The Totem redundant ring protocol: one ring over several networks."""
