"""Keys that are computed when somebody looks, and how their trackers hear of changes."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corosync_tw.errors import CsNotExist
from corosync_tw.services.cmap import store as store_module
from corosync_tw.services.cmap.store import CmapStore
from corosync_tw.services.cmap.trackers import Track
from corosync_tw.services.cmap.values import TypedValue

EVERY = Track.ADD | Track.MODIFY | Track.DELETE


class Numbers:
    """Numbers by key; counts what it is asked."""

    def __init__(self, **numbers):
        self.numbers = {f"live.{key}": number for key, number in numbers.items()}
        self.asked = []

    def keys(self):
        return list(self.numbers)

    def get(self, key):
        self.asked.append(key)
        if key not in self.numbers:
            raise CsNotExist(key)
        return TypedValue.u64(self.numbers[key])


@pytest.fixture
def numbers():
    return Numbers(b=2, a=1)


@pytest.fixture
def store(numbers):
    made = CmapStore()
    made.provide("live.", numbers)
    made.set("lively", TypedValue.u8(1))
    made.set("a.key", TypedValue.u8(1))
    return made


def test_live_keys_stand_in_the_order_of_all(store, numbers):
    assert store.keys() == ["a.key", "live.a", "live.b", "lively"]
    assert store.keys("live.") == ["live.a", "live.b"]
    assert store.get("live.b") == TypedValue.u64(2)
    assert "live.c" not in store
    numbers.numbers["live.c"] = 3
    del numbers.numbers["live.a"]
    assert store.keys("live") == ["live.b", "live.c", "lively"]


def test_keys_elsewhere_are_listed_without_asking(store, numbers):
    numbers.keys = lambda: pytest.fail("asked")
    assert store.keys("a.") == ["a.key"]


def test_an_iterator_passes_over_what_is_gone(store, numbers):
    iterator = store.iterate("live.")
    assert iterator.next() == ("live.a", TypedValue.u64(1))
    del numbers.numbers["live.b"]
    assert iterator.next() is None


def test_an_iterator_sees_values_of_the_moment(store, numbers):
    iterator = store.iterate("live.")
    iterator.next()
    numbers.numbers["live.b"] = 77
    assert iterator.next() == ("live.b", TypedValue.u64(77))


def test_a_stored_key_hides_a_live_one_until_it_is_deleted(store):
    store.keys()
    store.set("live.a", TypedValue.u8(9))
    assert store.get("live.a") == TypedValue.u8(9)
    assert store.keys("live.") == ["live.a", "live.b"]
    store.delete("live.a")
    assert store.get("live.a") == TypedValue.u64(1)
    assert store.keys("live.") == ["live.a", "live.b"]
    with pytest.raises(CsNotExist):
        store.delete("live.a")


def test_the_longest_prefix_answers(store):
    class Inner:
        def keys(self):
            return ["live.in.x"]

        def get(self, key):
            return TypedValue.string(key)

    store.provide("live.in.", Inner())
    assert store.get("live.in.x") == TypedValue.string("live.in.x")
    assert store.keys("live.") == ["live.a", "live.b", "live.in.x"]


@pytest.mark.parametrize("key", ["live.", "", None, "li"])
def test_a_poll_tells_what_changed(store, numbers, key):
    heard = []
    store.track_add(key, EVERY | Track.PREFIX, lambda *change: heard.append(change))
    store.poll_providers()
    assert not heard, "what is there from the start is no news"
    numbers.numbers = {"live.b": 5, "live.c": 3}
    store.poll_providers()
    store.poll_providers()
    assert heard == [
        (Track.DELETE, "live.a", None, TypedValue.u64(1)),
        (Track.MODIFY, "live.b", TypedValue.u64(5), TypedValue.u64(2)),
        (Track.ADD, "live.c", TypedValue.u64(3), None),
    ]


def test_a_tracker_of_one_key_costs_one_key(store, numbers):
    heard = []
    tracker = store.track_add("live.b", EVERY, lambda *change: heard.append(change))
    numbers.asked.clear()
    numbers.numbers["live.a"] = 100
    numbers.numbers["live.b"] = 3
    store.poll_providers()
    assert numbers.asked == ["live.b"]
    assert [change[1] for change in heard] == ["live.b"]
    store.track_delete(tracker)
    numbers.asked.clear()
    store.poll_providers()
    assert not numbers.asked


def test_a_tracker_of_a_key_to_come(store, numbers):
    heard = []
    store.track_add("live.c", EVERY, lambda *change: heard.append(change))
    store.poll_providers()
    numbers.numbers["live.c"] = 1
    store.poll_providers()
    del numbers.numbers["live.c"]
    store.poll_providers()
    assert [change[0] for change in heard] == [Track.ADD, Track.DELETE]


def test_a_tracker_that_ends_is_no_deletion(store, numbers):
    heard = []
    tracker = store.track_add("live.", EVERY | Track.PREFIX, lambda *change: heard.append(change))
    store.poll_providers()
    store.track_delete(tracker)
    store.track_add("live.a", EVERY, lambda *change: heard.append(change))
    store.poll_providers()
    assert not heard


def test_the_second_tracker_is_not_told_twice(store, numbers):
    heard = []
    store.track_add("live.", EVERY | Track.PREFIX, lambda *change: heard.append("prefix"))
    store.track_add("live.a", EVERY, lambda *change: heard.append("key"))
    numbers.numbers["live.a"] = 9
    store.poll_providers()
    store.poll_providers()
    assert heard == ["key", "prefix"]


def test_replacing_leaves_live_keys_alone(store):
    store.replace(["live.", "a."], {})
    assert store.keys() == ["live.a", "live.b", "lively"]


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_live_and_stored_keys_come_and_go(data):
    """Two providers and the store itself, whose keys overlap, against plain sets."""
    names = st.sampled_from(
        [f"{prefix}{letter}" for prefix in ("li.", "li.ve.") for letter in "ab"]
    )
    outer, inner, store = Numbers(), Numbers(), CmapStore()
    store.provide("li.", outer)
    store.provide("li.ve.", inner)
    stored, iterator, last = set(), store.iterate("li."), ""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store_module, "SINGLY_LISTED_MAX", data.draw(st.sampled_from([0, 1000])))
        for _ in range(data.draw(st.integers(1, 25))):
            key, action = data.draw(names), data.draw(st.integers(0, 4))
            if action == 0:
                outer.numbers = dict.fromkeys(data.draw(st.sets(names)), 1)
            elif action == 1:
                drawn = data.draw(st.sets(names))
                inner.numbers = {name: 2 for name in drawn if name.startswith("li.ve.")}
            elif action == 2:
                stored.add(key)
                store.set(key, TypedValue.u8(3))
            elif action == 3 and key in stored:
                stored.remove(key)
                store.delete(key)
            there = sorted(stored | outer.numbers.keys() | inner.numbers.keys())
            assert store.keys("li.") == there
            if action == 4:
                found = iterator.next()
                ahead = [name for name in there if name > last and store.find(name)]
                assert (found and found[0]) == (ahead[0] if ahead else None)
                iterator, last = (iterator, found[0]) if found else (store.iterate("li."), "")


def test_what_comes_and_goes_between_two_polls_is_told_by_its_owner(store, numbers):
    told = []
    for key, mask in (("live.", Track.PREFIX | EVERY), ("live.x", EVERY), ("live.y", EVERY)):
        store.track_add(key, mask, lambda event, key, _new, _old: told.append((event, key)))
    numbers.numbers["live.x"] = 3
    store.live_came(["live.x"])
    assert told == [(Track.ADD, "live.x")] * 2
    store.poll_providers()
    del numbers.numbers["live.x"]
    store.live_went(["live.x", "live.never"])
    store.poll_providers()
    assert told[2:] == [(Track.DELETE, "live.x")] * 2


def test_nobody_is_asked_for_what_nobody_tracks(store, numbers):
    store.live_came(["live.x"])
    store.track_add("a.", Track.PREFIX | EVERY, lambda *_: pytest.fail("told"))
    store.live_came(["live.x"])
    store.live_went(["live.x"])
    assert numbers.asked == []


class Listed(Numbers):
    """Says by the same list that nothing came or went."""

    def __init__(self, **numbers):
        super().__init__(**numbers)
        self.listing = list(self.numbers)

    def keys(self):
        return self.listing


def test_a_poll_asks_for_no_value_that_nobody_follows():
    numbers, store, heard = Listed(a=1, b=2), CmapStore(), []
    store.provide("live.", numbers)
    come_and_go = Track.ADD | Track.DELETE | Track.PREFIX
    for key in ("live.", None):
        store.track_add(key, come_and_go, lambda event, key, *_: heard.append((event, key)))
    store.poll_providers()
    numbers.asked.clear()
    numbers.numbers["live.a"] = 5
    for _ in range(3):
        store.poll_providers()
    assert numbers.asked == []
    store.track_add("live.a", Track.MODIFY, lambda _, key, new, old: heard.append((new, old)))
    store.poll_providers()
    assert heard == []
    numbers.numbers["live.a"] = 6
    numbers.numbers["live.c"] = 7
    numbers.listing = list(numbers.numbers)
    store.poll_providers()
    assert heard == [
        (TypedValue.u64(6), TypedValue.u64(5)),
        (Track.ADD, "live.c"),
        (Track.ADD, "live.c"),
    ]
