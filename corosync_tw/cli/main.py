"""
``corosync-tw``: the tool that holds the tools; each is a module beside this one.

A tool is imported when it is asked for: those that stand in for stock ones are called in loops, and
must not wait for a reactor they do not need.
"""

import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Final

from corosync_tw import __version__
from corosync_tw.cli.stock_run import run
from corosync_tw.cli.stock_tools import EXIT_INTERRUPTED, PROGRAM, STOCK_TOOLS
from corosync_tw.kernels import choice

_OWN_TOOLS: Final = (
    "cpg",
    "doctor",
    "explain",
    "features",
    "fplay",
    "report",
    "sniff",
    "status",
    "tools",
    "top",
)


def main(argv: Sequence[str] | None = None) -> None:
    """
    Run the tool that the first argument names.

    Raises: SystemExit; 0 when all is well, 1 after an error, 2 for a wrong command line, 130
    when it was interrupted.
    """
    argv = sys.argv[1:] if argv is None else argv
    try:
        if argv and argv[0] in STOCK_TOOLS:
            tool = import_module(f"corosync_tw.cli.{argv[0]}").main
            run(tool, argv[1:], f"corosync-{argv[0]}")
        _main_of_own(argv)
    except KeyboardInterrupt:
        raise SystemExit(EXIT_INTERRUPTED) from None


def _main_of_own(argv: Sequence[str]) -> None:
    import argparse  # noqa: PLC0415

    parser = argparse.ArgumentParser(
        prog=PROGRAM,
        description="Speak to a daemon: cpg, status and top to corosync_tw's own, stock tools to "
        "any. Look around: features and sniff need none.",
    )
    version = f"{PROGRAM} {__version__}, kernels: {choice.description()}"
    parser.add_argument("--version", action="version", version=version)
    tools = parser.add_subparsers(metavar="TOOL", required=True)
    for name in _OWN_TOOLS:
        import_module(f"corosync_tw.cli.{name}").add_parser(tools)
    for name, text in STOCK_TOOLS.items():
        tools.add_parser(name, help=f"{text} (as corosync-{name})", add_help=False)
    args = parser.parse_args(argv)
    try:
        args.run(args)
        sys.stdout.flush()
    except BrokenPipeError:
        from corosync_tw.cli.running import write_no_more  # noqa: PLC0415

        write_no_more()


if __name__ == "__main__":
    main()
