"""
Deliveries: nothing made up, nothing twice, nothing in the wrong configuration, no holes that may
not be.

EVS 1.3 and 1.4 (basic delivery), 6.3 (who delivers a message owes every earlier one from senders
that are in the same
configuration), 5 (causality: whatever the sender knew in the ring comes first).
"""

from collections.abc import Iterator

from corosync_tw.sim.history import History, MessageId, RunRecord, Violation, Window


def check_delivery(run: RunRecord) -> Iterator[Violation]:
    """Yield each delivery that should not have been, and each that is missing before another."""
    seen: dict[int, set[MessageId]] = {}
    for history in run.histories:
        node_seen = seen.setdefault(history.nodeid, set())
        previous: Window | None = None
        for window in run.windows(history):
            yield from _check_window(run, history, window, node_seen)
            if window.regular:
                yield from _check_prefix(run, history, window)
                previous = window
            elif window.deliveries:
                yield from _check_obligations(run, history, previous, window)


def _check_window(
    run: RunRecord, history: History, window: Window, seen: set[MessageId]
) -> Iterator[Violation]:
    ring_id = window.ring
    last = -1
    for message, time_ns in zip(window.deliveries, window.times_ns, strict=True):
        node = (history.nodeid,)
        if message not in run.messages:
            yield Violation("no creation (1.3)", time_ns, node, f"{message} was never sent")
            continue
        if message[0] != ring_id:
            text = f"{message} delivered in {window.conf}"
            yield Violation("own configuration (1.3)", time_ns, node, text)
        if message in seen:
            yield Violation("once only (1.4)", time_ns, node, f"{message} delivered again")
        seen.add(message)
        rank = run.rank(message)
        if rank <= last:
            text = f"{message} (rank {rank}) after rank {last}"
            yield Violation("ring order (6.1)", time_ns, node, text)
        last = rank


def _check_prefix(run: RunRecord, history: History, window: Window) -> Iterator[Violation]:
    """A regular configuration knows no holes: the deliveries are ranks 0, 1, 2 and so on."""
    for place, message in enumerate(window.deliveries):
        if run.rank(message) != place:
            text = f"{message} delivered in place {place} of a regular configuration"
            time_ns = window.times_ns[place]
            yield Violation("no holes (6.3)", time_ns, (history.nodeid,), text)
            return


def _check_obligations(
    run: RunRecord, history: History, regular: Window | None, window: Window
) -> Iterator[Violation]:
    """
    No message of a member of the transitional configuration may be missing before another.

    Whose messages may follow a hole otherwise is a question of causality.
    """
    if regular is None:
        return
    by_rank = run.sent_in(window.ring)
    place = len(regular.deliveries)
    for message, time_ns in zip(window.deliveries, window.times_ns, strict=True):
        rank = run.rank(message)
        for missing in range(place, rank):
            lost = by_rank.get(missing)
            if lost is not None and lost.sender in window.conf.members:
                text = f"{message} delivered without rank {missing} of member {lost.sender}"
                yield Violation("obligations (6.3)", time_ns, (history.nodeid,), text)
        place = max(place, rank + 1)
