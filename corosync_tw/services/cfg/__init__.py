"""Cluster-wide administration messages (Corosync exec/cfg.c)."""
