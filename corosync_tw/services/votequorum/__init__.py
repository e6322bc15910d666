"""Vote based quorum provider (Corosync exec/votequorum.c)."""
