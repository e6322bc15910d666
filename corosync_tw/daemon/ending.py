"""
The exit status of a process that twistd runs.

twistd ends with 0 or by a signal and has no notion of any other status, so the status is set at
the very end of the interpreter, when all that twistd and Twisted clean up is cleaned up.
"""

import atexit
import os
import sys
from typing import Final

from corosync_tw.daemon.exitcodes import ExitCode


class Ending:
    """
    Remembers why the process ends; the first reason counts.

    :ivar code: exit status so far.
    """

    def __init__(self) -> None:
        self.code = ExitCode.EXIT

    def because(self, code: ExitCode) -> None:
        """Have a reason other than a wish."""
        if self.code is ExitCode.EXIT:
            self.code = code

    def settle(self) -> None:
        """End with the code when the interpreter ends, and spare it the taking apart of itself."""
        atexit.register(_exit, int(self.code))


def _exit(code: int) -> None:
    for stream in (sys.__stdout__, sys.__stderr__):
        if stream is not None:
            stream.flush()
    os._exit(code)


PROCESS_ENDING: Final = Ending()
