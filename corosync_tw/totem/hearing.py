"""
Who hears whom: our own links by what reaches us, the others' by what they say.

Only Joins and merge detections count, for they go to everybody and come from their sender alone; a
message may be somebody else's copy. All is counted in windows: what every node that looks for a
ring sends several times. Silence alone says nothing, for a node may be down. So a link is
suspected when

* others hear a node lately, and we do not: we are deaf to it;
* a node says whom it hears, and we are not among them although we speak all the time: it does not
  hear us.

Nodes of other programs say nothing of the kind, and their links are thought to work as long as
nobody of ours is deaf to them.
"""

from collections.abc import Collection, Iterable, Sequence
from typing import Final

from corosync_tw.corotypes import NS_PER_MS, PROCESSOR_COUNT_MAX, RingId
from corosync_tw.totem.claims import Row, age_ms
from corosync_tw.totem.link_watch import LinkWatch
from corosync_tw.totem.params import TotemParams

# Evidence is weighed so often in a window.
LOOKS_PER_WINDOW: Final = 8

# A direction: who speaks, and who listens.
Link = tuple[int, int]


def window_ns(params: TotemParams) -> int:
    """
    Give the time in which a node that looks for a ring is heard at least twice.

    Two and a half of them end before the consensus timeout, with Corosync's proportions.
    """
    return max(
        params.consensus_timeout_ns // 4, 2 * params.join_timeout_ns, 2 * params.merge_timeout_ns
    )


class Hearing:
    """
    Evidence about links.

    :ivar bad_links: directions that do not work, as (speaker, listener); ours and the others'.
    """

    __slots__ = (
        "_heard_at",
        "_into",
        "_joined_at",
        "_looked_at",
        "_my_id",
        "_ours_at",
        "_out_of",
        "_ring_ids",
        "_rows",
        "_speaking",
        "_told",
        "bad_links",
    )

    def __init__(self, my_id: int) -> None:
        self._my_id = my_id
        self._heard_at: dict[int, int] = {}
        self._joined_at: dict[int, int] = {}
        self._ring_ids: dict[int, RingId] = {}  # as merge detections have them
        self._ours_at: dict[int, int] = {}  # of those that make claims: when they were last up
        self._rows: dict[int, tuple[Row, int]] = {}  # and when it was said
        self._into: dict[int, LinkWatch] = {}  # from them to us
        self._out_of: dict[int, LinkWatch] = {}  # from us to them
        self._speaking: tuple[int, int] | None = None  # without a break since, and until
        self._looked_at = 0
        self._told: frozenset[Link] = frozenset()
        self.bad_links: frozenset[Link] = frozenset()

    # -- evidence comes in

    def hear(self, sender: int, rows: Sequence[Row], now_ns: int, *, join: bool) -> None:
        """Note a frame to everybody, and what its sender says."""
        if sender == self._my_id:
            return
        _note(self._heard_at, sender, now_ns)
        if rows and rows[0].nodeid == sender:
            _note(self._ours_at, sender, now_ns)
        else:
            self._ours_at.pop(sender, None)
        if join:
            _note(self._joined_at, sender, now_ns)
            self._ring_ids.pop(sender, None)
        for row in rows:
            said_at = now_ns - row.age_ms * NS_PER_MS
            known = self._rows.get(row.nodeid)
            if row.nodeid == self._my_id or (known is not None and known[1] > said_at):
                continue
            if known is not None or len(self._rows) < PROCESSOR_COUNT_MAX:
                self._rows[row.nodeid] = (row, said_at)

    def hear_ring(self, sender: int, ring_id: RingId) -> None:
        """Note which ring somebody is in that is heard lately."""
        if sender in self._heard_at:
            self._ring_ids[sender] = ring_id

    def sense(self, sender: int, now_ns: int) -> None:
        """Note that a node of ours is up; its message may have come by way of somebody else."""
        if sender not in self._ours_at:
            return
        self._ours_at[sender] = now_ns
        for watches in (self._into, self._out_of):
            watch = watches.get(sender)
            if watch is not None:
                watch.keep(now_ns)

    def speak(self, now_ns: int, params: TotemParams) -> None:
        """Note that we send a frame to everybody."""
        since = now_ns
        if self._speaking is not None and now_ns - self._speaking[1] < window_ns(params):
            since = self._speaking[0]
        self._speaking = (since, now_ns)

    def miss_answers(self, since_ns: int, now_ns: int, params: TotemParams) -> None:
        """
        Note that all that we asked to join us since then were free to answer.

        Who is up, and has not answered, does not hear us.
        """
        for nodeid, up_at in self._ours_at.items():
            if up_at > since_ns and self._joined_at.get(nodeid, 0) <= since_ns:
                self._watch(self._out_of, nodeid).give_up(now_ns, window_ns(params))
        self._gather_bad_links()

    def distrust(self, nodeids: Iterable[int], now_ns: int, params: TotemParams) -> None:
        """Doubt that we hear these, until they are heard."""
        for nodeid in nodeids:
            self._heard_at.pop(nodeid, None)
            self._watch(self._into, nodeid).give_up(now_ns, window_ns(params))
        self._gather_bad_links()

    # -- evidence is weighed

    def look(self, now_ns: int, params: TotemParams) -> None:
        """
        Weigh what has come in; often enough is a few times in a window.

        Post: bad_links is up to date.
        """
        window = window_ns(params)
        if now_ns - self._looked_at < window // LOOKS_PER_WINDOW:
            return
        if now_ns - self._looked_at >= window:
            # Nobody looked in between: what was suspected then says nothing now.
            for watch in (*self._into.values(), *self._out_of.values()):
                watch.suspect_anew()
        self._looked_at = now_ns
        self._forget(now_ns - window)
        alive = self._heard_by_others()
        for nodeid in sorted(alive | self._heard_at.keys() | self._into.keys()):
            self._weigh_into(nodeid, nodeid in alive, now_ns, window)
        for nodeid in sorted(self._rows.keys() | self._out_of.keys()):
            self._weigh_out_of(nodeid, now_ns, window)
        self._gather_bad_links()

    def _forget(self, before_ns: int) -> None:
        self._heard_at = {n: at for n, at in self._heard_at.items() if at > before_ns}
        self._ring_ids = {n: i for n, i in self._ring_ids.items() if n in self._heard_at}
        self._rows = {n: known for n, known in self._rows.items() if known[1] > before_ns}
        if len(self._ours_at) == PROCESSOR_COUNT_MAX or len(self._joined_at) == PROCESSOR_COUNT_MAX:
            self._ours_at.clear()
            self._joined_at.clear()

    def _heard_by_others(self) -> set[int]:
        heard = {n for row, _ in self._rows.values() for n in row.heard}
        return heard - {self._my_id}

    def _weigh_into(self, nodeid: int, alive: bool, now_ns: int, window: int) -> None:
        watch = self._watch(self._into, nodeid)
        if nodeid in self._heard_at:
            watch.works(now_ns, window)
        elif alive:
            watch.fails(now_ns, window)
        else:
            watch.rests(now_ns, window)
        if watch.is_idle(now_ns, window):
            del self._into[nodeid]

    def _weigh_out_of(self, nodeid: int, now_ns: int, window: int) -> None:
        watch = self._watch(self._out_of, nodeid)
        known = self._rows.get(nodeid)
        if known is None:
            watch.rests(now_ns, window)
        elif self._my_id in known[0].heard:
            watch.works(now_ns, window)
        elif self._is_speaking(now_ns, window):
            watch.fails(now_ns, window)
        else:
            watch.rests(now_ns, window)
        if watch.is_idle(now_ns, window):
            del self._out_of[nodeid]

    def _is_speaking(self, now_ns: int, window: int) -> bool:
        if self._speaking is None:
            return False
        since, until = self._speaking
        return until - since >= window // 2 and now_ns - until < window

    def take_changes(self) -> tuple[list[Link], list[Link]]:
        """Give the links that have failed and those that work again since this was last asked."""
        told, self._told = self._told, self.bad_links
        return sorted(self._told - told), sorted(told - self._told)

    def _gather_bad_links(self) -> None:
        me = self._my_id
        bad = {(n, me) for n, watch in self._into.items() if watch.bad}
        bad |= {(me, n) for n, watch in self._out_of.items() if watch.bad}
        for row, _ in self._rows.values():
            bad |= {(speaker, row.nodeid) for speaker in row.deaf_to}
            bad |= {(row.nodeid, listener) for listener in row.unheard_by}
        self.bad_links = frozenset(bad)

    @staticmethod
    def _watch(watches: dict[int, LinkWatch], nodeid: int) -> LinkWatch:
        watch = watches.get(nodeid)
        if watch is None:
            watch = watches[nodeid] = LinkWatch()
        return watch

    # -- what follows

    def alive(self) -> set[int]:
        """List who is heard by us or by others, and ourselves."""
        return {self._my_id, *self._heard_at, *self._rows} | self._heard_by_others()

    def ring_size(self, nodeid: int) -> int:
        """Tell how large a ring a node is in, as far as it or another member said."""
        sizes = (len(row.ring) for row, _ in self._rows.values() if nodeid in row.ring)
        return max(sizes, default=0)

    def is_gathering(self, nodeid: int) -> bool:
        """Tell whether a node said lately that it is in no ring."""
        known = self._rows.get(nodeid)
        return known is not None and not known[0].ring

    def rings_before(self, members: Collection[int]) -> set[RingId]:
        """
        Name the rings that go before one of ``members``: larger ones, or of lower nodeids.

        :return: those of which we have heard lately.
        """
        ours = (-len(members), min(members))
        found = set()
        for nodeid, ring_id in self._ring_ids.items():
            row = self._rows.get(nodeid)
            if row is not None and row[0].ring and nodeid not in members:
                ring = row[0].ring
                if (-len(ring), min(ring)) < ours:
                    found.add(ring_id)
        return found

    def rows(self, members: Iterable[int], now_ns: int) -> list[Row]:
        """
        Say what we know: our own row, and those of the others while something is wrong.

        :param members: of the ring that we are in.
        """
        own = Row(
            self._my_id,
            0,
            frozenset(members),
            frozenset(self._heard_at),
            frozenset(n for n, watch in self._into.items() if watch.bad),
            frozenset(n for n, watch in self._out_of.items() if watch.bad),
        )
        others = [
            row._replace(age_ms=age_ms(said_at, now_ns))
            for row, said_at in sorted(self._rows.values(), key=_newest_first)
        ]
        # Those that nothing is wrong with are told last.
        if not self.bad_links:
            return [own]
        others.sort(key=Row.lacks_nobody)
        return [own, *others]


def _note(times: dict[int, int], nodeid: int, now_ns: int) -> None:
    if nodeid in times or len(times) < PROCESSOR_COUNT_MAX:
        times[nodeid] = now_ns


def _newest_first(known: tuple[Row, int]) -> tuple[int, int]:
    row, said_at = known
    return -said_at, row.nodeid
