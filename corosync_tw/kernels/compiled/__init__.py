"""
The kernels in Cython; ``make kernels`` builds them.

Peers and clients write the bytes that are given here. A kernel that switches bounds checks off
compares every offset that it takes from a buffer with the buffer's length before it follows it.
"""
