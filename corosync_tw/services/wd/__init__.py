"""The watchdog over monitored resources and processes (Corosync exec/wd.c)."""
