"""Synchronisation barriers between configurations (Corosync exec/sync.c)."""
