"""The kernels in plain Python: standard library alone."""
