"""
How the process ends.

Source: Corosync exec/util.h, enum e_corosync_done.
"""

from enum import IntEnum


class ExitCode(IntEnum):
    """Exit status of the daemon, with Corosync's numbers."""

    EXIT = 0
    FORK = 4
    LOGCONFIGREAD = 7
    MAINCONFIGREAD = 8
    LOGSETUP = 9
    ICMAP = 12
    INIT_SERVICES = 13
    FATAL_ERR = 15
    DIR_NOT_PRESENT = 16
    ACQUIRE_LOCK = 17
    ALREADY_RUNNING = 18
    STD_TO_NULL_REDIR = 19
    SERVICE_ENGINE_INIT = 20
    STORE_RINGID = 21
    STATS = 22
    PLOAD = 99
    KILLED = 255  # by another node through cfg: Corosync's exit(-1)


class DaemonError(Exception):
    """
    The daemon cannot start or go on.

    :ivar code: exit status.
    :ivar messages: one line each: what is wrong and what to do about it.
    """

    def __init__(self, code: ExitCode, *messages: str) -> None:
        super().__init__("\n".join(messages))
        self.code = code
        self.messages = messages
