"""Monitors of the machine's memory and load (Corosync exec/mon.c)."""
