"""What the cfg service asks of the daemon around the stack, and tells this node's clients."""

from dataclasses import dataclass

from corosync_tw.services.effects import LocalEffect


@dataclass(slots=True)
class ReloadRequested(LocalEffect):
    """
    Read corosync.conf again; it comes to all members at the same place in the order of messages.

    The daemon calls ``CfgEngine.reload_done`` once for each, in the order they came.

    :ivar nodeid: of the member that asked.
    """

    nodeid: int


@dataclass(slots=True)
class ReloadAnswered(LocalEffect):
    """
    The reload that a local client asked for is over.

    :ivar error: cs_error_t.
    """

    conn: int
    error: int


@dataclass(slots=True)
class RingsReenabled(LocalEffect):
    """
    Use all networks again, whatever their tests say; it comes to all members.

    :ivar conn: the local client that asked for it, 0 for none.
    """

    conn: int


@dataclass(slots=True)
class CryptoPhaseReached(LocalEffect):
    """Our own word on a change of keys came back, for the log."""

    phase: int


@dataclass(slots=True)
class KeysKnown(LocalEffect):
    """All members have the new key: seal with it."""


@dataclass(slots=True)
class KeysSettled(LocalEffect):
    """All members seal with the new key, or have said nothing for long: forget the old one."""


@dataclass(slots=True)
class ReopenLogs(LocalEffect):
    """
    Close the log files and open them again by their names, after a rotation.

    The daemon calls ``CfgEngine.reopen_done`` for each.
    """

    conn: int


@dataclass(slots=True)
class LogsReopened(LocalEffect):
    """
    What a local client asked for of the log files is done.

    :ivar error: cs_error_t.
    """

    conn: int
    error: int


@dataclass(slots=True)
class TestShutdown(LocalEffect):
    """
    A tracking client is asked for its opinion of a shutdown, or told that the vote timed out.

    :ivar flags: as the client gave them that wants the shutdown.
    :ivar error: cs_error_t, CS_OK or CS_ERR_TIMEOUT.
    """

    conn: int
    flags: int
    error: int


@dataclass(slots=True)
class ShutdownAnswered(LocalEffect):
    """
    The vote on the shutdown that a local client asked for is over.

    :ivar error: cs_error_t, CS_OK or CS_ERR_BUSY.
    """

    conn: int
    error: int


@dataclass(slots=True)
class ShutdownDecided(LocalEffect):
    """How the vote went, for the log."""

    yes: int
    no: int
    flags: int


@dataclass(slots=True)
class NodeShutDown(LocalEffect):
    """Another member is shut down by its administrator, for the log."""

    nodeid: int


@dataclass(slots=True)
class NodeKilled(LocalEffect):
    """
    Another member was ordered to die.

    :ivar by_nodeid: of the member whose administrator gave the order.
    """

    nodeid: int
    by_nodeid: int
    reason: str
