"""Encryption on the networks: knet's envelope, and authenticated datagrams of our own."""
