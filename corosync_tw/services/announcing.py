"""
Telling the other members what we can do, and going by what all of them can.

An announcement goes out with every ring, and again when our configuration changes. What all members
announced alike is put in force as soon as the last announcement is delivered, at the same message
everywhere.
"""

from contextlib import suppress

from corosync_tw.corotypes import Buffer, RingId
from corosync_tw.errors import CsTryAgain
from corosync_tw.services.hello import (
    HELLO_GROUP,
    OWN_FEATURES,
    Capabilities,
    Features,
    Hello,
    encode_hello,
)
from corosync_tw.totem.params import TotemParams
from corosync_tw.totem.pg import Totempg
from corosync_tw.totem.srp import Srp
from corosync_tw.totem.window import WINDOW_SIZE_MSGS_MAX


class Announcing:
    """What the members of the present ring announced."""

    def __init__(self, srp: Srp, pg: Totempg, receive_msgs_max: int) -> None:
        """
        Know nothing of the others yet.

        :param receive_msgs_max: full frames that our sockets hold; 0 if that is not known.
        """
        self._srp = srp
        self._pg = pg
        self._receive_msgs_max = receive_msgs_max
        self._capabilities = Capabilities()
        self._ring_id: RingId | None = None
        self._members: tuple[int, ...] = ()

    def begin(self, ring_id: RingId, members: tuple[int, ...], params: TotemParams) -> None:
        """Introduce ourselves to the members of a ring that was just installed."""
        self._ring_id, self._members = ring_id, members
        self._capabilities.begin(ring_id)
        self.announce(params, trans=True)

    def announce(self, params: TotemParams, *, trans: bool) -> None:
        """
        Say what we can do; unsaid, this ring counts us as a stock node.

        :param trans: the ring is being synchronized.
        """
        if self._ring_id is not None:
            with suppress(CsTryAgain):
                hello = own_hello(self._ring_id, params, self._receive_msgs_max)
                self._pg.mcast(HELLO_GROUP, (encode_hello(hello),), trans=trans)

    def deliver(self, nodeid: int, data: Buffer, big_endian: bool) -> None:
        """Take an announcement; raises MalformedFrame."""
        self._capabilities.deliver(nodeid, data, big_endian)
        # The ring may be a step ahead of what is delivered.
        if self._srp.ring_id == self._ring_id:
            if not self.lacking(Features.COMMIT_OBLIGATION):
                self._srp.ring_of_ours()
            self._srp.agree(self._capabilities.agreement(self._members))

    def lacking(self, feature: Features) -> tuple[int, ...]:
        """List the members that did not announce a feature."""
        return self._capabilities.without(feature, self._members)


def own_hello(ring_id: RingId, params: TotemParams, receive_msgs_max: int) -> Hello:
    """
    Make what a node announces.

    :param receive_msgs_max: full frames that its sockets hold; 0 if that is not known.
    """
    features = OWN_FEATURES
    receive_msgs = receive_msgs_max
    if params.accelerated_ring:
        features |= Features.ACCELERATED_RING
        # Half a window more may come behind the tokens.
        receive_msgs -= receive_msgs // 3
    receive_msgs = min(receive_msgs, WINDOW_SIZE_MSGS_MAX)
    if params.window_pinned:
        receive_msgs = params.window_size_msgs
    if receive_msgs:
        features |= Features.ADAPTIVE_WINDOW
    return Hello(ring_id, features, receive_msgs)
