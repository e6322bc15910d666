"""
The one table of what is recorded; writers, readers, documentation and tests are made from it.

A name with ``~`` goes with visits of the token and with datagrams, one with ``+`` with remarks and
clients.
"""

from typing import Final

from corosync_tw.logsys.flight.events import LINKS, TRACES, Code, Event, Field
from corosync_tw.logsys.flight.layout import Lane
from corosync_tw.totem.links import LinkEventKind
from corosync_tw.totem.trace import TraceCode


def _event(code: int, subsys: str, name: str, fields: str, text: str) -> Event:
    lane = Lane.VISITS if name.startswith("~") else Lane.EVENTS
    lane = Lane.REMARKS if name.startswith("+") else lane
    pairs = [word.partition(":") for word in fields.split()]
    made = tuple(Field(field, kind or "number") for field, _, kind in pairs)
    return Event(int(code), name.lstrip("~+"), subsys, lane, made, text)


def _trace(code: TraceCode, name: str, fields: str, text: str) -> Event:
    return _event(TRACES + code, "TOTEM", name, fields, text)


def _link(kind: LinkEventKind, subsys: str, name: str, fields: str, text: str) -> Event:
    return _event(LINKS + kind, subsys, name, f"link node {fields}", text)


_TRACES: Final = (
    _trace(
        TraceCode.STATE_ENTERED,
        *("state_entered", "old:state new:state reason:reason"),
        "entering {new} state from {old}[new=2|: {reason}]",
    ),
    _trace(
        TraceCode.TOKEN_LOST,
        *("token_lost", "state:state token_timeout:ms consensus_timeout:ms"),
        "the token was lost in the {state} state: nothing for {token_timeout}; consensus has"
        " {consensus_timeout}",
    ),
    _trace(
        TraceCode.CONSENSUS_TIMED_OUT,
        *("consensus_timed_out", "silent:nodes"),
        "the consensus timeout expired; not heard of: [{silent}]",
    ),
    _trace(TraceCode.TOKEN_LATE, "token_late", "waited:ms", "no token for {waited}"),
    _trace(
        TraceCode.FRAME_MALFORMED,
        *("~frame_malformed", "type length"),
        "a datagram of type {type} and {length} bytes is malformed",
    ),
    _trace(
        TraceCode.RETRANSMIT_LIST,
        *("~retransmit_list", "seqs:seqs"),
        "messages asked for by the token: {seqs}",
    ),
    _trace(
        TraceCode.FAILED_TO_RECEIVE,
        *("failed_to_receive", "aru:hex"),
        "failed to receive: stuck at {aru}",
    ),
    _trace(TraceCode.PROCESS_PAUSED, "process_paused", "pause:ms", "did not run for {pause}"),
    _trace(
        TraceCode.LEAVE_RECEIVED,
        *("leave_received", "node"),
        "node {node} says that it leaves",
    ),
    _trace(
        TraceCode.LEFT_WITHOUT_LEAVE,
        *("left_without_leave", "nodes:nodes"),
        "failed, without a leave: {nodes}",
    ),
    _trace(
        TraceCode.NODEID_IN_USE,
        *("~nodeid_in_use", "type"),
        "another node uses our node id (message type {type})",
    ),
    _trace(
        TraceCode.TOKEN_REFUSED,
        *("~token_refused", "seq:hex aru:hex token_seq:hex high_seq:hex"),
        "refused a token that contradicts the ring: seq {seq} aru {aru} token_seq {token_seq},"
        " high seq received {high_seq}",
    ),
    _trace(
        TraceCode.RECOVERY_ORIGINATED,
        *("recovery_originated", "messages low_aru:hex high_seq:hex"),
        "{messages} messages of the old ring are sent again: low aru {low_aru}, high seq"
        " {high_seq}",
    ),
    _trace(
        TraceCode.PROCESSORS_TOO_MANY,
        *("~processors_too_many", "entries"),
        "a join would make {entries} processors, more than a ring can have",
    ),
    _trace(
        TraceCode.TOKEN_RECEIVED,
        *("~token_received", "seq:hex aru:hex token_seq:hex fcc"),
        "token {token_seq} is here: seq {seq} aru {aru} fcc {fcc}",
    ),
    _trace(
        TraceCode.JOIN_FLUSHED,
        *("~join_flushed", "node"),
        "a join of node {node} was discarded after a pause",
    ),
    _trace(
        TraceCode.LINK_FAILED,
        *("link_failed", "speaker listener"),
        "node {listener} does not hear node {speaker}, which others hear",
    ),
    _trace(
        TraceCode.LINK_WORKS,
        *("link_works", "speaker listener"),
        "node {listener} hears node {speaker} again",
    ),
    _trace(
        TraceCode.KEPT_OUT,
        *("kept_out", "nodes:nodes"),
        "faulty links keep nodes out of the membership: {nodes}",
    ),
    _trace(
        TraceCode.TOKEN_TRAIL,
        *("token_trail", "token_seq:hex target repeats since:ms"),
        "the token was last here {since} ago (token_seq {token_seq}); it went on to node {target}"
        "[, and {repeats} times again]",
    ),
    _trace(
        TraceCode.COMMIT_TOKEN_CREATED,
        *("~commit_token_created", "members"),
        "the commit token of a ring of {members} is made here",
    ),
    _trace(
        TraceCode.COMMIT_TOKEN_RECEIVED,
        *("~commit_token_received", "written token_seq"),
        "commit token {token_seq} is here, in which {written} members have written",
    ),
    _trace(
        TraceCode.RING_COMMITTED,
        *("~ring_committed", "aru:hex high_seq:hex ring_seq:hex"),
        "taking part in ring {ring_seq}, with the old ring's messages up to {aru} and some up to"
        " {high_seq}",
    ),
    _trace(
        TraceCode.RECOVERY_TRANSITIONAL,
        *("~recovery_transitional", "nodes:nodes"),
        "these come along from our old ring: {nodes}",
    ),
    _trace(
        TraceCode.RECOVERY_MEMBER,
        *("~recovery_member", "position node rep seq:hex aru:hex delivered:hex received"),
        "member {node} comes from ring {rep}.{seq}: aru {aru}, delivered {delivered}, received"
        " flag {received}",
    ),
    _trace(
        TraceCode.TOKEN_ORIGINATED,
        *("~token_originated", "resends"),
        "the first token of the ring is sent from here[resends=1|, messages of an old ring follow]",
    ),
    _trace(
        TraceCode.RECOVERY_ENDED,
        *("~recovery_ended", "recovered:hex delivered:hex high_seq:hex"),
        "recovery ends at {recovered}; the old ring's messages from {delivered} to {high_seq} are"
        " delivered",
    ),
)
_LINKS: Final = (
    _link(
        LinkEventKind.FAULTY,
        *("TOTEM", "ring_faulty", "cause:fault seen best threshold"),
        "network {link} is faulty, {cause}: {seen} where the best had {best} (threshold"
        " {threshold})[; node {node}]",
    ),
    _link(
        LinkEventKind.RECOVERED,
        *("TOTEM", "ring_recovered", "cause:recovery clean faulty:ns hold:ns"),
        "network {link} is used again ({cause}): it was faulty for {faulty}[; node {node}]",
    ),
    _link(
        LinkEventKind.PROBE_REFUSED,
        *("TOTEM", "~probe_refused", "fault:probe type generation expected"),
        "a test of network {link}[ from node {node}] is not believed: {fault}",
    ),
    _link(
        LinkEventKind.ALL_FAULTY,
        *("TOTEM", "all_rings_faulty", "networks"),
        "all {networks} networks are faulty, and all are used",
    ),
    _link(LinkEventKind.HOST_UP, "KNET", "link_up", "", "link {link} to node {node} is up"),
    _link(LinkEventKind.HOST_DOWN, "KNET", "link_down", "", "link {link} to node {node} is down"),
    _link(
        LinkEventKind.HOST_REACHABLE,
        *("KNET", "host_reachable", "links"),
        "node {node} is reachable[ by {links} links]",
    ),
    _link(
        LinkEventKind.HOST_UNREACHABLE,
        *("KNET", "host_unreachable", ""),
        "node {node} is not reachable by any link",
    ),
    _link(
        LinkEventKind.BEST_LINK,
        *("KNET", "best_link", "policy priority links"),
        "node {node} is reached by link {link}, priority {priority}; links used: {links}",
    ),
    _link(
        LinkEventKind.PACKET_REFUSED,
        *("KNET", "+packet_refused", "cause:refusal"),
        "a packet on link {link}[ from node {node}] was refused: {cause}",
    ),
    _link(
        LinkEventKind.MTU_CHANGED,
        *("KNET", "mtu_changed", "bytes before"),
        "[link {link} ][to node {node}: ]data MTU is {bytes} bytes[, was {before}]",
    ),
    _link(
        LinkEventKind.MTU_DOUBTED,
        *("KNET", "mtu_doubted", "bytes"),
        "node {node} does not acknowledge {bytes} bytes on link {link}",
    ),
)
_RING: Final = "rep ring_seq:hex"
_DAEMON: Final = (
    _event(
        Code.NODE_STARTED,
        *("MAIN", "node_started", "node pid version:text"),
        "node {node} starts as process {pid}, version {version}",
    ),
    _event(Code.NODE_READY, "MAIN", "node_ready", "", "ready to provide service"),
    _event(
        Code.NODE_ENDING,
        *("MAIN", "node_ending", "code leaves:yes"),
        "the node ends with status {code}; it says good-bye: {leaves}",
    ),
    _event(
        Code.NODE_FAILED,
        *("MAIN", "node_failed", "code text:text"),
        "the node cannot go on (status {code})[: {text}]",
    ),
    _event(Code.KEPT, "MAIN", "kept", "file:text", "the recording so far is kept as {file}"),
    _event(
        Code.RING_INSTALLED,
        *("TOTEM", "ring_installed", f"{_RING} members:nodes"),
        "ring {rep}.{ring_seq} is installed, members: {members}",
    ),
    _event(
        Code.TRANSITIONAL,
        *("TOTEM", "transitional", f"{_RING} members:nodes"),
        "on the way to ring {rep}.{ring_seq}[ with: {members}]",
    ),
    _event(
        Code.MEMBERS_JOINED,
        *("TOTEM", "members_joined", f"{_RING} nodes:nodes"),
        "joined with ring {rep}.{ring_seq}: {nodes}",
    ),
    _event(
        Code.MEMBERS_LEFT,
        *("TOTEM", "members_left", f"{_RING} nodes:nodes"),
        "left with ring {rep}.{ring_seq}: {nodes}",
    ),
    _event(
        Code.MEMBER_LEFT,
        *("TOTEM", "member_left", "node reason:text"),
        "node {node} left the ring: {reason}",
    ),
    _event(
        Code.QUORUM_CHANGED,
        *("QUORUM", "quorum_changed", f"quorate:yes {_RING} members:nodes"),
        "quorate: {quorate}; members: {members}",
    ),
    _event(
        Code.SYNC_DONE,
        *("SYNC", "sync_done", f"{_RING} safe:yes members:nodes"),
        "services are synchronized in ring {rep}.{ring_seq}",
    ),
    _event(
        Code.SAMPLE,
        *("TOTEM", "~sample", f"{_RING} offset:ns delivered"),
        "[in ring {rep}.{ring_seq}, ]{delivered} messages delivered so far",
    ),
    _event(
        Code.NODE_SHUT_DOWN,
        *("CFG", "node_shut_down", "node"),
        "node {node} is shut down by its administrator",
    ),
    _event(
        Code.NODE_KILLED,
        *("CFG", "node_killed", "node by reason:text"),
        "node {by} orders node {node} to die[: {reason}]",
    ),
    _event(
        Code.RELOAD_REQUESTED,
        *("CFG", "reload_requested", "node"),
        "node {node} asks all to read their configuration again",
    ),
    _event(
        Code.RELOAD_DONE,
        *("CFG", "reload_done", "error"),
        "the configuration was read again, error {error}",
    ),
    _event(
        Code.DIRECTIVE_SET,
        *("CFG", "directive_set", "refused:yes key:text"),
        "a client set {key}[, which is refused: {refused}]",
    ),
    _event(
        Code.CRYPTO_PHASE,
        *("CFG", "crypto_phase", "phase"),
        "change of keys: phase {phase}",
    ),
    _event(
        Code.SHUTDOWN_DECIDED,
        *("CFG", "shutdown_decided", "yes no flags:hex"),
        "shutdown decided: {yes} for it, {no} against, flags {flags}",
    ),
    _event(
        Code.CONFIG_VERSION_DIFFERS,
        *("CMAP", "config_version_differs", "node version ours"),
        "node {node} has configuration version {version}, here it is {ours}",
    ),
    _event(
        Code.LOOP_PAUSED,
        *("MAIN", "loop_paused", "gap:ns threshold:ns"),
        "the process was not scheduled for {gap} (threshold {threshold})",
    ),
    _event(
        Code.CLOCK_STEPPED,
        *("MAIN", "clock_stepped", "step:ns"),
        "the wall clock was set by {step}",
    ),
    _event(
        Code.SUSPENDED,
        *("MAIN", "suspended", "length:ns"),
        "the machine was suspended for {length}",
    ),
    _event(
        Code.STORAGE_SLOW,
        *("MAIN", "storage_slow", "elapsed:ns"),
        "the ring waits for the disk since {elapsed}",
    ),
    _event(
        Code.STORAGE_FAILED,
        *("MAIN", "storage_failed", "code text:text"),
        "the ring id cannot be stored: {text}",
    ),
    _event(Code.NET_EVENT, "TOTEM", "net_event", "text:text", "{text}"),
    _event(
        Code.DATAGRAM_REFUSED,
        *("TOTEM", "+datagram_refused", "node cause:seal"),
        "a datagram[ of node {node}] was refused: {cause}",
    ),
    _event(
        Code.CLIENT_CONNECTED,
        *("QB", "+client_connected", "service:service pid conn name:text"),
        "process {pid} ({name}) connects to {service}, connection {conn}",
    ),
    _event(
        Code.CLIENT_GONE,
        *("QB", "+client_gone", "service:service pid conn name:text"),
        "process {pid} ({name}) disconnects from {service}, connection {conn}",
    ),
    _event(
        Code.PROGRAM_CONNECTED,
        *("QB", "+program_connected", "count"),
        "a program connects over Perspective Broker; there are {count}",
    ),
    _event(
        Code.PROGRAM_GONE,
        *("QB", "+program_gone", "count"),
        "a program over Perspective Broker is gone; there are {count}",
    ),
    _event(
        Code.LOG,
        *("MAIN", "+log", "level:level subsys:subsys text:text"),
        "{level}: {text}",
    ),
)
EVENTS: Final[dict[int, Event]] = {event.code: event for event in (*_TRACES, *_LINKS, *_DAEMON)}
