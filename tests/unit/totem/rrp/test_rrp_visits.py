"""Full load: visits of 704 messages, cut in two, that arrive in blobs of 45, one network late."""

from itertools import cycle

import pytest

from corosync_tw.totem.links import LinkFaultCause
from tests.unit.totem.rrp.one_end import OTHER, PEER, OneEnd, blob, orf_token

VISIT_MSGS = 704
BLOB_MSGS = 45


@pytest.fixture
def end():
    return OneEnd()


def blobs(first_seq, count, sender=PEER):
    """Give messages as a socket brings them."""
    starts = range(0, count, BLOB_MSGS)
    return [blob(first_seq + i, min(BLOB_MSGS, count - i), sender) for i in starts]


class Visits:
    """
    One sender's visits, and the tokens behind them.

    :ivar late: networks that are read only after the next token, in turns; None for none.
    :ivar dead: networks that bring no messages.
    """

    def __init__(self, end, late=(None,), msgs=VISIT_MSGS):
        self.end = end
        self.late = cycle(late)
        self.msgs = msgs
        self.dead = set()
        self.seq = 1
        self.token_seq = 0
        self._left_over = []

    def go(self, visits):
        for _ in range(visits):
            self.one()

    def one(self):
        """Bring a visit and its token; what is late comes behind that."""
        half = self.msgs // 2
        late = next(self.late)
        left_over, self._left_over = self._left_over, []
        for link, first in ((0, self.seq), (1, self.seq + half)):
            if link in self.dead:
                continue
            if link == late:
                self._left_over.append((link, first))
            else:
                self.end.bring(link, *blobs(first, half))
        for link, first in left_over:
            self.end.bring(link, *blobs(first, half))
        self.seq += self.msgs
        self.token_seq += 1
        token = orf_token(self.token_seq, seq=self.seq - 1)
        self.end.bring(self.token_seq % 2, token)


@pytest.mark.parametrize(
    "late", [(None,), (0,), (1,), (0, 1), (None, 0), (None, 1), (1, 1, 1, 0), (0, 0, 0, None)]
)
def test_sound_networks_are_never_accused_whichever_is_read_last(end, late):
    visits = Visits(end, late)
    visits.go(500)
    assert end.faulty() == []


def test_time_forgives_nothing_in_the_middle_of_a_visit(end):
    visits = Visits(end, (1,))
    for _ in range(500):
        visits.one()
        end.after(2000)
    assert end.faulty() == []


def test_a_visit_that_is_late_and_one_that_is_lost_are_no_fault(end):
    visits = Visits(end)
    visits.go(10)
    visits.dead = {1}
    visits.one()
    visits.dead = set()
    visits.late = cycle([1])
    visits.go(20)
    assert end.faulty() == []


def test_bursts_lost_now_and_then_are_no_fault(end):
    """A socket that overflows loses some blobs at once."""
    visits = Visits(end)
    for _ in range(40):
        visits.go(59)
        visits.dead = {1}
        visits.one()
        visits.dead = set()
    assert end.faulty() == []


def test_a_network_without_messages_is_found_within_a_few_visits(end):
    visits = Visits(end)
    visits.go(100)
    visits.dead = {0}
    visits.go(4)
    assert end.faulty() == []
    visits.go(2)
    assert end.faulty() == [0]
    (event,) = end.events
    cause, lacking, best, threshold = event.values
    assert (event.nodeid, cause, threshold) == (PEER, LinkFaultCause.MESSAGES_LAG, 3 * 352)
    assert lacking > threshold
    assert best >= lacking


def test_it_is_found_as_well_when_little_is_sent_after_much(end):
    visits = Visits(end)
    visits.go(100)
    visits.dead = {0}
    visits.msgs = 20
    visits.go(30)
    assert end.faulty() == [0]


def test_the_bursts_of_one_sender_say_nothing_of_another(end):
    """Node 3 sends a little, all of it by network 0; node 2 sends much by both."""
    visits = Visits(end)
    for _ in range(12):
        end.bring(0, blob(visits.seq, 10, OTHER))
        visits.seq += 10
        visits.one()
    assert end.faulty() == [1]
    assert [event.nodeid for event in end.events] == [OTHER]


@pytest.mark.parametrize("lost_of_ten", [2, 3, 5])
def test_steady_loss_is_found(end, lost_of_ten):
    """Of each ten blobs that network 1 should bring some are lost; node 2 sends them no more."""
    turns = cycle(i < lost_of_ten for i in range(10))
    for visit in range(1, 60):
        seq = (visit - 1) * VISIT_MSGS + 1
        end.bring(0, *blobs(seq, 352))
        end.bring(1, *(piece for piece in blobs(seq + 352, 352) if not next(turns)))
        end.bring(visit % 2, orf_token(visit, seq=seq + VISIT_MSGS - 1))
    assert end.faulty() == [1]
