"""
The directives of everything beside the ring: quorum, logging, system, resources and the small
sections.

Source: corosync.conf(5), votequorum(5), corosync-qdevice(8) of 3.1.10.
"""

from dataclasses import dataclass

from corosync_tw.config import values
from corosync_tw.config.directive import SectionConfig, directive


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceNetConfig(SectionConfig):
    """``quorum.device.net``, for corosync-qdevice."""

    host: str | None = directive("host", values.TEXT, doc="Of corosync-qnetd.")
    port: int = directive("port", values.lenient(values.UINT16), 5403, doc="Of corosync-qnetd.")
    tls: str = directive(
        "tls", values.lenient(values.choice("on", "off", "required")), "on", doc="To qnetd."
    )
    algorithm: str | None = directive(
        "algorithm",
        values.lenient(values.choice("test", "ffsplit", "2nodelms", "lms")),
        doc="By which qnetd decides.",
    )
    tie_breaker: str = directive(
        "tie_breaker", values.TEXT, "lowest", doc="lowest, highest or a node id."
    )
    connect_timeout_ms: int | None = directive(
        "connect_timeout",
        values.lenient(values.UINT32),
        unit="ms",
        doc="To qnetd, default 0.8 * quorum.device.timeout.",
    )
    force_ip_version: str = directive(
        "force_ip_version", values.lenient(values.choice("0", "4", "6")), "0", doc="To qnetd."
    )
    keep_active_partition_tie_breaker: bool = directive(
        "keep_active_partition_tie_breaker",
        values.ON_OFF_LENIENT,
        True,
        doc="Prefer the partition that was quorate.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class HeuristicsConfig(SectionConfig):
    """``quorum.device.heuristics``, for corosync-qdevice."""

    mode: str = directive(
        "mode", values.lenient(values.choice("off", "sync", "on")), "off", doc="When to run."
    )
    timeout_ms: int | None = directive(
        "timeout",
        values.lenient(values.UINT32),
        unit="ms",
        doc="Of the commands, default half of quorum.device.timeout.",
    )
    sync_timeout_ms: int | None = directive(
        "sync_timeout",
        values.lenient(values.UINT32),
        unit="ms",
        doc="Of the commands during a change, default half of quorum.device.sync_timeout.",
    )
    interval_ms: int | None = directive(
        "interval",
        values.lenient(values.UINT32),
        unit="ms",
        doc="Between runs, default three times quorum.device.timeout.",
    )
    commands: tuple[tuple[str, str], ...] = ()
    """(NAME, command) of each ``exec_NAME``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QuorumDeviceConfig(SectionConfig):
    """``quorum.device``: a vote from outside."""

    model: str | None = directive("model", values.TEXT, doc="Name of the model, net.")
    votes: int | None = directive(
        "votes", values.UINT32, doc="Of the device, default votes of all nodes minus one."
    )
    timeout_ms: int = directive(
        "timeout", values.UINT32, 10_000, unit="ms", doc="Silence after which it is dead."
    )
    sync_timeout_ms: int = directive(
        "sync_timeout", values.UINT32, 30_000, unit="ms", doc="The same during a change."
    )
    master_wins: int = directive(
        "master_wins", values.UINT8, 0, doc="1 lets the partition with the master survive."
    )
    net: DeviceNetConfig = DeviceNetConfig()
    heuristics: HeuristicsConfig = HeuristicsConfig()


@dataclass(frozen=True, slots=True, kw_only=True)
class QuorumConfig(SectionConfig):
    """The ``quorum`` section."""

    provider: str | None = directive(
        "provider", values.TEXT, doc="corosync_votequorum; without it every partition may work."
    )
    expected_votes: int = directive(
        "expected_votes", values.UINT32, 0, doc="Of the cluster, default the nodelist's sum."
    )
    votes: int = directive("votes", values.UINT32, 1, doc="Of this node, without a nodelist.")
    two_node: int = directive("two_node", values.UINT8, 0, doc="1 lets one of two nodes go on.")
    wait_for_all: int | None = directive(
        "wait_for_all",
        values.UINT8,
        doc="1 waits at the start until all nodes were seen, default two_node.",
    )
    last_man_standing: int = directive(
        "last_man_standing", values.UINT8, 0, doc="1 lowers expected_votes as nodes fail."
    )
    last_man_standing_window_ms: int = directive(
        "last_man_standing_window",
        values.UINT32,
        10_000,
        unit="ms",
        doc="After a failure, until expected_votes is lowered.",
    )
    auto_tie_breaker: int = directive(
        "auto_tie_breaker", values.UINT8, 0, doc="1 lets half of the votes win by node id."
    )
    auto_tie_breaker_node: tuple[str, ...] = directive(
        "auto_tie_breaker_node",
        values.TIE_BREAKER_NODES,
        ("lowest",),
        doc="Which node decides: lowest, highest or a list of node ids.",
    )
    allow_downscale: int = directive(
        "allow_downscale", values.UINT8, 0, doc="1 lowers expected_votes as nodes leave."
    )
    expected_votes_tracking: int = directive(
        "expected_votes_tracking", values.UINT8, 0, doc="1 remembers the highest expected_votes."
    )
    leaving_timeout_ms: int = directive(
        "leaving_timeout",
        values.UINT32,
        10_000,
        unit="ms",
        doc="(1.x).",
        no_effect="a leaving node says so itself",
    )
    disallowed: str | None = directive(
        "disallowed", values.TEXT, doc="(1.x).", no_effect="3.x has no disallowed nodes"
    )
    quorumdev_poll: str | None = directive(
        "quorumdev_poll", values.TEXT, doc="(1.x).", no_effect="use quorum.device.timeout"
    )
    device: QuorumDeviceConfig | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggerConfig(SectionConfig):
    """What a logger can be told: all in ``logging`` or one subsystem in ``logger_subsys``."""

    to_stderr: bool | None = directive("to_stderr", values.SWITCH, doc="Log to stderr.")
    to_syslog: bool | None = directive("to_syslog", values.SWITCH, doc="Log to syslog.")
    to_logfile: bool | None = directive("to_logfile", values.SWITCH, doc="Log to logfile.")
    to_file: bool | None = directive("to_file", values.SWITCH, doc="Old name of to_logfile.")
    logfile: str | None = directive("logfile", values.TEXT, doc="Path of the log file.")
    logfile_priority: str | None = directive(
        "logfile_priority", values.SYSLOG_PRIORITY, doc="Lowest priority in the log file."
    )
    syslog_facility: str | None = directive(
        "syslog_facility", values.SYSLOG_FACILITY, doc="Facility of syslog."
    )
    syslog_priority: str | None = directive(
        "syslog_priority", values.SYSLOG_PRIORITY, doc="Lowest priority in syslog."
    )
    syslog_level: str | None = directive(
        "syslog_level", values.SYSLOG_PRIORITY, doc="Old name of syslog_priority."
    )
    debug: str | None = directive(
        "debug", values.choice("on", "off", "trace"), doc="Debug messages too, trace even more."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggerSubsysConfig(LoggerConfig):
    """``logging.logger_subsys``: a subsystem that differs from the rest; None inherits."""

    subsys: str | None = directive("subsys", values.TEXT, doc="Name of the subsystem: TOTEM ...")
    tags: str | None = directive(
        "tags", values.TEXT, doc="Trace tags (1.x).", no_effect="use debug: trace"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggingDaemonConfig(LoggerConfig):
    """``logging.logging_daemon``: logging of another daemon of the cluster."""

    name: str | None = directive("name", values.TEXT, doc="Of the daemon; corosync is ourselves.")
    subsys: str | None = directive("subsys", values.TEXT, doc="Of that daemon.")


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggingConfig(LoggerConfig):
    """The ``logging`` section; a None is the daemon's default: stderr and syslog, priority info."""

    timestamp: str = directive(
        "timestamp", values.choice("hires", "on", "off"), "hires", doc="In front of each message."
    )
    fileline: bool = directive("fileline", values.ON_OFF, False, doc="Show source file and line.")
    function_name: bool = directive(
        "function_name", values.ON_OFF, False, doc="Show the function's name."
    )
    blackbox: bool = directive("blackbox", values.ON_OFF, True, doc="Keep the flight recorder.")
    subsystems: tuple[LoggerSubsysConfig, ...] = ()
    daemons: tuple[LoggingDaemonConfig, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemConfig(SectionConfig):
    """The ``system`` section."""

    qb_ipc_type: str = directive(
        "qb_ipc_type",
        values.choice("native", "shm", "socket", "none"),
        "native",
        doc="Of C clients; none serves Perspective Broker alone, so that nodes share a machine.",
    )
    sched_rr: bool = directive("sched_rr", values.YES_NO, True, doc="Run with real-time priority.")
    priority: str | None = directive(
        "priority", values.PRIORITY, doc="Nice value without sched_rr: max, min or a number."
    )
    move_to_root_cgroup: str = directive(
        "move_to_root_cgroup",
        values.choice("yes", "no", "auto"),
        "auto",
        doc="Move into the root cgroup when real-time priority needs it.",
    )
    allow_knet_handle_fallback: bool = directive(
        "allow_knet_handle_fallback", values.YES_NO, False, doc="Run knet without privileges."
    )
    state_dir: str = directive(
        "state_dir",
        values.TEXT,
        "/var/lib/corosync",
        doc="Where the ring id is kept; relative to the working directory.",
    )
    run_dir: str = directive(
        "run_dir",
        values.TEXT,
        "/run",
        doc="Where pid file and sockets are; relative to the working directory. Not in Corosync.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class MonitorConfig(SectionConfig):
    """One of ``resources.system.*``, ``resources.process.*``."""

    poll_period_ms: int = directive(
        "poll_period", values.UINT64, 3000, unit="ms", doc="500 to 120000."
    )
    max_value: str | None = directive("max", values.TEXT, doc="Above it, recovery begins.")
    recovery: str | None = directive(
        "recovery", values.TEXT, doc="watchdog, quit, reboot, shutdown or none."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourcesConfig(SectionConfig):
    """The ``resources`` section: watchdog and monitors."""

    watchdog_device: str | None = directive(
        "watchdog_device", values.TEXT, doc="Path, default off."
    )
    watchdog_timeout_s: int = directive(
        "watchdog_timeout", values.UINT32, 6, unit="s", doc="2 to 120."
    )
    monitors: tuple[MonitorConfig, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class NozzleConfig(SectionConfig):
    """The ``nozzle`` section: a tap device over knet."""

    name: str | None = directive("name", values.TEXT, doc="Of the device.")
    ipaddr: str | None = directive("ipaddr", values.TEXT, doc="Network; the node id is added.")
    ipprefix: str | None = directive("ipprefix", values.TEXT, doc="Length of the prefix.")
    macaddr: str | None = directive("macaddr", values.TEXT, doc="First four bytes of the MAC.")


@dataclass(frozen=True, slots=True, kw_only=True)
class PloadConfig(SectionConfig):
    """The ``pload`` section: the built-in load test."""

    count_msgs: int = directive(
        "count", values.lenient(values.UINT32), 1_500_000, unit="messages", doc="To send."
    )
    size_bytes: int = directive(
        "size", values.lenient(values.UINT32), 300, unit="bytes", doc="Of one message."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class CfgConfig(SectionConfig):
    """The ``cfg`` section."""

    shutdown_timeout_ms: int = directive(
        "shutdown_timeout",
        values.lenient(values.UINT32),
        5000,
        unit="ms",
        doc="For clients to answer a shutdown.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class UidGidConfig(SectionConfig):
    """``uidgid``, all sections and uidgid.d together: who but root may connect."""

    uids: frozenset[int] = frozenset()
    gids: frozenset[int] = frozenset()
