"""Causes by which a node comes into a ring."""

from corosync_tw.diagnosis.incidents.causes import Cause, certain, likely
from corosync_tw.diagnosis.incidents.changes import steps_of
from corosync_tw.diagnosis.incidents.lives import named, number
from corosync_tw.diagnosis.incidents.rules_silence import pauses
from corosync_tw.diagnosis.incidents.scene import Scene


def _before(nodeid: int) -> str:
    return f"corosync-tw explain {nodeid} tells why it had left"


def started(scene: Scene) -> Cause | None:
    """Its daemon was started, and this is its first ring with others."""
    life = scene.life
    if life is None:
        return None
    before = [
        step
        for step in steps_of(life)
        if step.installed.aligned_ns < scene.until_ns
        and step.new_ring != scene.change.ring
        and len(step.members) > 1
    ]
    begun = named(life.records[:1], "node_started")
    if before or not begun:
        return None
    return certain("started", scene.nodeid, "its daemon was started", begun)


def awake_again(scene: Scene) -> Cause | None:
    """It had stood still, and runs again."""
    found = pauses(scene.own, scene.since_ns, scene.until_ns)
    if not found:
        return None
    return certain(
        "awake_again",
        scene.nodeid,
        "it had stood still, and runs again",
        found,
        _before(scene.nodeid),
    )


def heard_again(scene: Scene) -> Cause | None:
    """A link works again."""
    found = [
        record
        for record in named(scene.all, "link_works", "link_up", "host_reachable", "ring_recovered")
        if record.nodeid == scene.nodeid
        or scene.nodeid in {number(record, name) for name in ("node", "speaker", "listener")}
    ]
    if not found:
        return None
    if scene.life is None:
        said = "its daemon was started, or the network carries its packets again"
        return likely("heard_again", scene.nodeid, said, found, _before(scene.nodeid))
    said = "the network carries its packets again"
    return certain("heard_again", scene.nodeid, said, found, _before(scene.nodeid))


def merged(scene: Scene) -> Cause | None:
    """It had been in another ring, and no link says why the rings found each other."""
    own = [] if scene.life is None else list(steps_of(scene.life))
    apart = [
        step
        for step in own
        if step.new_ring == scene.change.ring
        and step.old_ring not in {None, scene.change.main.old_ring}
    ]
    if not apart:
        return None
    said = "it had run on in another ring, and the network carries packets between them again"
    lone = [step.installed for step in own if step.new_ring == apart[0].old_ring]
    return likely(
        "heard_again", scene.nodeid, said, [*lone, apart[0].installed], _before(scene.nodeid)
    )
