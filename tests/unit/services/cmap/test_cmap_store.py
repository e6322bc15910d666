"""The map against a dumb twin, and its rules one by one (exec/icmap.c)."""

import math
from string import ascii_lowercase

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from corosync_tw.errors import (
    CsError,
    CsExist,
    CsInvalidParam,
    CsNameTooLong,
    CsNoMemory,
    CsNotExist,
)
from corosync_tw.services.cmap import store as store_module
from corosync_tw.services.cmap.store import CmapStore
from corosync_tw.services.cmap.trackers import Track
from corosync_tw.services.cmap.values import VALUE_LEN_BYTES_MAX, TypedValue, decode_value
from corosync_tw.services.cmap.wire import ValueType

EVERY = Track.ADD | Track.MODIFY | Track.DELETE
INTEGERS = [kind for kind in ValueType if ValueType.INT8 <= kind <= ValueType.UINT64]
ALL_OF = Track.PREFIX


def listening(store, key, mask):
    heard = []
    store.track_add(key, mask, lambda *change: heard.append(change))
    return heard


# -- values


@pytest.mark.parametrize(
    ("value", "data"),
    [
        (TypedValue(ValueType.INT8, -1), b"\xff"),
        (TypedValue.u8(200), b"\xc8"),
        (TypedValue(ValueType.FLOAT, 1.5), b"\0\0\xc0?"),
        (TypedValue.string("a word"), b"a word\0"),
        (TypedValue.string(""), b"\0"),
        (TypedValue.string("\udcff"), b"\xff\0"),
        (TypedValue(ValueType.BINARY, b"a\0b"), b"a\0b"),
    ],
)
def test_values_and_their_bytes(value, data):
    assert value.encode() == data
    assert decode_value(value.kind, data) == value


def test_a_string_comes_with_or_without_its_nul():
    assert decode_value(ValueType.STRING, b"ab") == decode_value(ValueType.STRING, b"ab\0")


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        (0, b""),
        (0, b"x"),
        (13, b""),
        (255, b"x"),
        (ValueType.INT8, b""),
        (ValueType.UINT32, b"123"),
        (ValueType.DOUBLE, b"1234"),
        (ValueType.STRING, b"ab\0c"),
        (ValueType.STRING, b"ab\0\0"),
        (ValueType.STRING, bytes([65]) * (VALUE_LEN_BYTES_MAX + 1)),
        (ValueType.BINARY, bytes(VALUE_LEN_BYTES_MAX + 1)),
    ],
)
def test_bytes_that_are_no_value(kind, data):
    with pytest.raises(CsInvalidParam):
        decode_value(kind, data)


@pytest.mark.parametrize(
    "value",
    [
        TypedValue.u8(256),
        TypedValue.u8(-1),
        TypedValue(ValueType.INT64, 1 << 63),
        TypedValue(ValueType.FLOAT, 1e300),
        TypedValue(ValueType.UINT8, "1"),
        TypedValue(ValueType.STRING, "a\0b"),
        TypedValue(ValueType.STRING, b"bytes"),
        TypedValue(ValueType.BINARY, "text"),
        TypedValue(ValueType.NOT_EXIST, 0),
        TypedValue(ValueType.STRING, "x" * (VALUE_LEN_BYTES_MAX + 1)),
    ],
)
def test_values_that_do_not_fit_their_type(value):
    store = CmapStore()
    with pytest.raises(CsInvalidParam):
        store.set("some.key", value)
    assert "some.key" not in store


@given(st.sampled_from(INTEGERS), st.integers(), st.integers(-(1 << 31), (1 << 31) - 1))
def test_integers_wrap_around(kind, start, step):
    width = 8 * len(TypedValue(kind, 0).encode())
    lowest = -(1 << width - 1) if kind % 2 else 0
    start = lowest + start % (1 << width)
    value = TypedValue(kind, start).adjusted(step).value
    assert lowest <= value < lowest + (1 << width)
    assert (value - start - step) % (1 << width) == 0


# -- keys


@pytest.mark.parametrize("key", ["abc", "a" * 255, "aZ09_-/:.", "..."])
def test_keys_that_can_be_made(key):
    store = CmapStore()
    store.set(key, TypedValue.u8(1))
    assert store.keys() == [key]


@pytest.mark.parametrize("key", ["", "ab", "a" * 256, "a b", "abc\n", "a\xe4c", "abc\0"])
def test_keys_that_cannot(key):
    store = CmapStore()
    with pytest.raises(CsNameTooLong):
        store.set(key, TypedValue.u8(1))
    with pytest.raises(CsNotExist):
        store.get(key)
    assert not store.keys()


def test_read_only_keys_and_prefixes():
    store = CmapStore()
    store.set_readonly("totem.version")
    store.set_readonly("system.", prefix=True)
    assert store.is_readonly("totem.version")
    assert not store.is_readonly("totem.version.x")
    assert store.is_readonly("system.")
    assert store.is_readonly("system.x")
    assert not store.is_readonly("system")
    with pytest.raises(CsExist):
        store.set_readonly("system.", prefix=True)
    with pytest.raises(CsNotExist):
        store.set_readonly("system.", readonly=False)
    store.set_readonly("system.", prefix=True, readonly=False)
    assert not store.is_readonly("system.x")


def test_the_daemon_itself_may_change_read_only_keys():
    store = CmapStore()
    store.set_readonly("totem.", prefix=True)
    store.set("totem.version", TypedValue.u32(2))
    store.adjust("totem.version", 1)
    store.delete("totem.version")


# -- trackers


def test_no_news_of_a_value_that_stays():
    store = CmapStore()
    heard = listening(store, None, EVERY | ALL_OF)
    for value in (0.0, -0.0, math.nan, math.nan, -0.0):
        store.set("a.real", TypedValue(ValueType.DOUBLE, value))
    assert [change[0] for change in heard] == [Track.ADD, *[Track.MODIFY] * 3]


def test_a_change_of_type_alone_is_news():
    store = CmapStore()
    store.set("a.key", TypedValue.u8(1))
    heard = listening(store, "a.key", EVERY)
    store.set("a.key", TypedValue.u16(1))
    assert heard == [(Track.MODIFY, "a.key", TypedValue.u16(1), TypedValue.u8(1))]


def test_trackers_hear_in_stocks_order():
    store, heard = CmapStore(), []
    for name, key, mask in (
        ("key 1", "tr.x", EVERY),
        ("key 2", "tr.x", EVERY),
        ("long prefix", "tr.x", EVERY | ALL_OF),
        ("short prefix 1", "tr.", EVERY | ALL_OF),
        ("short prefix 2", "tr.", EVERY | ALL_OF),
        ("all 1", None, EVERY | ALL_OF),
        ("all 2", None, EVERY | ALL_OF),
        ("all without the bit", None, EVERY),
        ("other key", "tr.xx", EVERY),
        ("no event", "tr.x", 0),
    ):
        store.track_add(key, mask, lambda *_, name=name: heard.append(name))
    store.set("tr.x", TypedValue.u8(1))
    assert heard == [
        "key 2",
        "key 1",
        "long prefix",
        "short prefix 1",
        "short prefix 2",
        "all 2",
        "all 1",
    ]


def test_a_tracker_may_end_itself_and_others_while_it_is_told():
    store, heard, trackers = CmapStore(), [], []

    def end_all(*_):
        heard.append("told")
        for tracker in trackers:
            store.track_delete(tracker)

    trackers += [store.track_add("a.key", EVERY, end_all) for _ in range(3)]
    store.set("a.key", TypedValue.u8(1))
    store.set("a.key", TypedValue.u8(2))
    assert heard == ["told"]


def test_a_tracker_may_change_the_map():
    store = CmapStore()
    store.track_add("a.key", EVERY, lambda *_: store.set("a.copy", store.get("a.key")))
    heard = listening(store, "a.", EVERY | ALL_OF)
    store.set("a.key", TypedValue.u8(3))
    assert store.get("a.copy") == TypedValue.u8(3)
    assert {change[1] for change in heard} == {"a.copy", "a.key"}


@pytest.mark.parametrize("mask", [16, -1, 1 << 31])
def test_unknown_bits_are_refused(mask):
    with pytest.raises(CsInvalidParam):
        CmapStore().track_add("a.key", mask, print)


# -- replacing


def test_replace_makes_the_values_all_there_is():
    store = CmapStore()
    for number, key in enumerate(("totem.a", "totem.b", "totem.c", "other.a")):
        store.set(key, TypedValue.u8(number))
    heard, views = listening(store, None, EVERY | ALL_OF), []
    store.track_add("totem.a", EVERY, lambda *_: views.append(store.keys()))
    new = {
        "totem.d": TypedValue.u8(9),
        "totem.c": TypedValue.u8(2),
        "totem.b": TypedValue.u8(7),
        "new.a": TypedValue.u8(1),
    }
    store.replace(["totem.", "nodelist."], new)
    assert store.keys() == ["new.a", "other.a", "totem.b", "totem.c", "totem.d"]
    assert [(change[0], change[1]) for change in heard] == [
        (Track.DELETE, "totem.a"),
        (Track.ADD, "new.a"),
        (Track.MODIFY, "totem.b"),
        (Track.ADD, "totem.d"),
    ]
    assert views == [store.keys()], "whoever is told sees the new map"


@pytest.mark.parametrize("bad", [("a b", TypedValue.u8(1)), ("totem.x", TypedValue.u8(-1))])
def test_replace_changes_nothing_when_it_cannot(bad):
    store = CmapStore()
    store.set("totem.a", TypedValue.u8(1))
    heard = listening(store, None, EVERY | ALL_OF)
    with pytest.raises(CsError):
        store.replace(["totem."], {"totem.b": TypedValue.u8(1), bad[0]: bad[1]})
    assert store.keys() == ["totem.a"]
    assert not heard


# -- limits


def test_clients_find_no_room_in_a_full_map(monkeypatch):
    monkeypatch.setattr(store_module, "KEYS_MAX", 2)
    monkeypatch.setattr(store_module, "CONTENT_BYTES_MAX", 100)
    store = CmapStore()
    store.check_room("key.1", TypedValue.u8(1))
    with pytest.raises(CsNoMemory):
        store.check_room("key.1", TypedValue.string("x" * 100))
    for key in ("key.1", "key.2", "key.3"):
        store.set(key, TypedValue.u8(1))
    store.check_room("key.1", TypedValue.u8(2))
    with pytest.raises(CsNoMemory):
        store.check_room("key.4", TypedValue.u8(1))
    store.delete("key.1")
    store.delete("key.2")
    store.check_room("key.4", TypedValue.u8(1))


# -- the dumb twin

KEYS = st.text(ascii_lowercase[:3] + "./", min_size=3, max_size=5)
PREFIXES = st.one_of(st.just(""), st.text(ascii_lowercase[:3] + "./", max_size=4))
VALUES = st.one_of(
    st.builds(TypedValue, st.just(ValueType.UINT8), st.integers(0, 255)),
    st.builds(TypedValue, st.just(ValueType.INT16), st.integers(-5, 5)),
    st.builds(TypedValue, st.just(ValueType.DOUBLE), st.sampled_from([0.0, -0.0, 1.0])),
    st.builds(TypedValue, st.just(ValueType.STRING), st.text("xy", max_size=2)),
    st.builds(TypedValue, st.just(ValueType.BINARY), st.binary(max_size=2)),
)


def raw(value):
    return None if value is None else (value.kind, value.encode())


class Twin(RuleBasedStateMachine):
    """A dictionary, lists and no shortcuts, beside the map."""

    @initialize()
    def start(self):
        self.store, self.twin = CmapStore(), {}
        self.trackers, self.iterators = [], []

    def expect(self, event, key, new, old):
        for _, tracked, mask, _, wanted in self.trackers:
            exact = tracked == key and not mask & ALL_OF
            prefix = mask & ALL_OF and key.startswith(tracked or "")
            if (exact or prefix) and mask & event:
                wanted.append((event, key, raw(new), raw(old)))

    @rule(key=KEYS, value=VALUES)
    def set(self, key, value):
        old = self.twin.get(key)
        self.twin[key] = value
        if old is None:
            self.expect(Track.ADD, key, value, None)
        elif raw(old) != raw(value):
            self.expect(Track.MODIFY, key, value, old)
        self.store.set(key, value)

    @rule(key=KEYS)
    def delete(self, key):
        if key not in self.twin:
            with pytest.raises(CsNotExist):
                self.store.delete(key)
            return
        self.expect(Track.DELETE, key, None, self.twin.pop(key))
        self.store.delete(key)

    @rule(key=KEYS, step=st.integers(-300, 300))
    def adjust(self, key, step):
        old = self.twin.get(key)
        if old is None or old.kind not in INTEGERS:
            with pytest.raises((CsNotExist, CsInvalidParam)):
                self.store.adjust(key, step)
            return
        self.store.adjust(key, step)
        new = self.store.get(key)
        assert (new.value - old.value - step) % (1 << 8 * len(new.encode())) == 0
        self.twin[key] = new
        if new != old:
            self.expect(Track.MODIFY, key, new, old)

    @rule(prefixes=st.lists(PREFIXES, max_size=2), values=st.dictionaries(KEYS, VALUES, max_size=4))
    def replace(self, prefixes, values):
        gone = []
        for prefix in prefixes:
            gone += sorted(
                k for k in self.twin if k.startswith(prefix) and k not in values and k not in gone
            )
        for key in gone:
            self.expect(Track.DELETE, key, None, self.twin.pop(key))
        for key in sorted(values):
            old = self.twin.get(key)
            self.twin[key] = values[key]
            if old is None:
                self.expect(Track.ADD, key, values[key], None)
            elif raw(old) != raw(values[key]):
                self.expect(Track.MODIFY, key, values[key], old)
        self.store.replace(prefixes, values)

    @rule(key=st.one_of(st.none(), KEYS, PREFIXES), mask=st.integers(0, 15))
    def track(self, key, mask):
        if len(self.trackers) < 6:
            heard = []
            tracker = self.store.track_add(
                key, mask, lambda e, k, new, old: heard.append((e, k, raw(new), raw(old)))
            )
            self.trackers.append((tracker, key, mask, heard, []))

    @rule(which=st.integers(0, 5))
    def untrack(self, which):
        if which < len(self.trackers):
            tracker, *_ = self.trackers.pop(which)
            self.store.track_delete(tracker)
            self.store.track_delete(tracker)

    @rule(prefix=PREFIXES)
    def iterate(self, prefix):
        if len(self.iterators) < 3:
            self.iterators.append([self.store.iterate(prefix), prefix, ""])

    @rule(which=st.integers(0, 2))
    def step(self, which):
        if which >= len(self.iterators):
            return
        iterator, prefix, last = self.iterators[which]
        ahead = sorted(key for key in self.twin if key > last and key.startswith(prefix))
        if not ahead:
            assert iterator.next() is None
            assert iterator.next() is None
            self.iterators.pop(which)
            return
        assert iterator.next() == (ahead[0], self.twin[ahead[0]])
        self.iterators[which][2] = ahead[0]

    @rule(prefix=PREFIXES)
    def keys(self, prefix):
        assert self.store.keys(prefix) == sorted(k for k in self.twin if k.startswith(prefix))

    @invariant()
    def same(self):
        if not hasattr(self, "store"):
            return
        assert len(self.store) == len(self.twin)
        assert {key: raw(self.store.get(key)) for key in self.twin} == {
            key: raw(value) for key, value in self.twin.items()
        }
        content = sum(len(key) + len(value.encode()) for key, value in self.twin.items())
        assert self.store._content_bytes == content
        for *_, heard, wanted in self.trackers:
            assert heard == wanted


TestTwin = Twin.TestCase
TestTwin.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
