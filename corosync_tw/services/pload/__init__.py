"""The profile loading service (Corosync exec/pload.c): floods a ring to measure it, and ends it."""
