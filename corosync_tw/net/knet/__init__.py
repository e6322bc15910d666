"""The links of knet (libknet's protocol version 1), without I/O; see ``engine``."""
