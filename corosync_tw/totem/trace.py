"""
Names of what the core finds worth recording.

The core emits numbers; ``corosync_tw.logsys`` turns them into Corosync's texts, the simulator into
a timeline.
"""

from enum import IntEnum


class TraceCode(IntEnum):
    """Meaning of a Trace effect; the comment gives its values, in order."""

    STATE_ENTERED = 1  # old MembState, new MembState, GatherFrom or 0
    TOKEN_LOST = 2  # MembState, token timeout ms, consensus timeout ms
    CONSENSUS_TIMED_OUT = 3  # nodeids newly in fail_set
    TOKEN_LATE = 4  # ms since the token was here
    FRAME_MALFORMED = 5  # type byte or -1, length
    RETRANSMIT_LIST = 6  # seqs asked for by the token
    FAILED_TO_RECEIVE = 7  # aru at which we are stuck
    PROCESS_PAUSED = 8  # ms
    LEAVE_RECEIVED = 9  # nodeid
    LEFT_WITHOUT_LEAVE = 10  # nodeids
    NODEID_IN_USE = 11  # message type of a frame that bears our nodeid
    TOKEN_REFUSED = 12  # token seq, token aru, token_seq, our high_seq_received
    RECOVERY_ORIGINATED = 13  # messages, low_ring_aru, high seq of the old ring
    PROCESSORS_TOO_MANY = 14  # entries that a join would have made
    TOKEN_RECEIVED = 15  # seq, aru, token_seq, fcc
    JOIN_FLUSHED = 16  # nodeid of a join dropped after a pause
    LINK_FAILED = 17  # nodeid that speaks, nodeid that does not hear it
    LINK_WORKS = 18  # nodeid that speaks, nodeid that hears it again
    KEPT_OUT = 19  # nodeids that bad links keep out of the ring that we want
    TOKEN_TRAIL = 20  # token_seq last taken, whom it was passed to, how often again, ms since
    COMMIT_TOKEN_CREATED = 21  # how many members the ring is to have
    COMMIT_TOKEN_RECEIVED = 22  # how many have written themselves into it, token_seq
    RING_COMMITTED = 23  # aru, high_seq_received of the old ring; seq of the ring being formed
    RECOVERY_TRANSITIONAL = 24  # nodeids that come along from our old ring
    RECOVERY_MEMBER = 25  # position, nodeid, rep, seq of its old ring, aru, high_delivered, flag
    TOKEN_ORIGINATED = 26  # 1 if somebody has messages of an old ring to send
    RECOVERY_ENDED = 27  # aru of recovery; high_delivered, high_seq_received of the old ring
