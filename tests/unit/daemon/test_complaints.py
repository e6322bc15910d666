"""Warnings are kept once each, the latest of them."""

from corosync_tw.daemon.complaints import COMPLAINTS_MAX, Complaints


class Clock:
    now_ms = 0


def complaints():
    clock = Clock()
    return clock, Complaints(lambda: clock.now_ms)


def test_the_same_is_kept_once_with_its_last_time():
    clock, kept = complaints()
    kept.add("no key")
    clock.now_ms = 5
    kept.add("no key (31 so far)")
    kept.add("no token (2 more like it)")
    assert kept.latest() == ((5, "no key"), (5, "no token"))


def test_the_oldest_make_room():
    _, kept = complaints()
    for number in range(COMPLAINTS_MAX):
        kept.add(f"trouble {number}")
    kept.add("trouble 0")
    kept.add("one more")
    texts = [text for _, text in kept.latest()]
    assert len(texts) == COMPLAINTS_MAX
    assert "trouble 1" not in texts
    assert texts[-2:] == ["trouble 0", "one more"]
