"""Twisted shell of the ring: transports, offload probing, the driver."""
