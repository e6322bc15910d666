"""Participation of the configuration map in sync (Corosync exec/cmap.c)."""
