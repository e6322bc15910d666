"""What is wrong with a cluster, from what its nodes tell: no socket, no clock, no file."""
