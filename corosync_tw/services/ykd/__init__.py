"""The quorum provider corosync_ykd: dynamic voting by Yeger-Lotem, Keidar and Dolev."""
