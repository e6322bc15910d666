"""Closed process groups (Corosync exec/cpg.c)."""
