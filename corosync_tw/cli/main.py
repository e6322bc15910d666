"""``corosync-tw``: the tool that holds the tools; each is a module beside this one."""

import argparse
from collections.abc import Sequence

from corosync_tw import __version__
from corosync_tw.cli import cpg, status
from corosync_tw.cli.running import PROGRAM


def main(argv: Sequence[str] | None = None) -> None:
    """
    Run the tool that the first argument names.

    Raises: SystemExit; 0 when all is well, 1 after an error, 2 for a wrong command line.
    """
    parser = argparse.ArgumentParser(prog=PROGRAM, description="Speak to a corosync_tw daemon.")
    parser.add_argument("--version", action="version", version=f"{PROGRAM} {__version__}")
    tools = parser.add_subparsers(metavar="TOOL", required=True)
    for tool in (cpg, status):
        tool.add_parser(tools)
    args = parser.parse_args(argv)
    args.run(args)


if __name__ == "__main__":
    main()
