"""Names: of this program, and of the tools that stand in for stock ones."""

from typing import Final

# As shells tell of SIGINT.
EXIT_INTERRUPTED: Final = 130
PROGRAM: Final = "corosync-tw"
# Each is a module of this package, and stands in for corosync-NAME.
STOCK_TOOLS: Final = {
    "blackbox": "dump the daemon's flight recorder and print it",
    "cfgtool": "show nodes and links; reload, shut down",
    "cmapctl": "read, write and follow the keys of the daemon's maps",
    "cpgtool": "list groups and their members",
    "keygen": "make a key for a cluster",
    "quorumtool": "show and change quorum and votes",
}
