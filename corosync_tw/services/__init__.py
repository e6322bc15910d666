"""Replicated services above Totem, one sub-package each."""
