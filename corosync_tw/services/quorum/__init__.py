"""Quorum service (Corosync exec/vsf_quorum.c)."""
