"""Requests of libcmap, their answers and events; and requests that no library sends."""

from pathlib import Path
from struct import Struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corosync_tw.services.cmap import lib_wire, session
from corosync_tw.services.cmap.readonly import protect
from corosync_tw.services.cmap.values import TypedValue
from tests.unit.services.cmap.lib_client import OK, REQUEST, Change, Served, name

LAYOUTS = Path(__file__).resolve().parents[3] / "data" / "corosync-layouts.txt"
EVERY, PREFIX = 7, 8
UINT8, UINT64, STRING, BINARY = 2, 8, 11, 12
# Of requests that are nothing: the number of the answer and its error.
NOTHING = (0, 7)


@pytest.fixture
def served():
    return Served()


@pytest.fixture
def library(served):
    return served.client()


def sizes_in_c():
    found = {}
    for line in LAYOUTS.read_text().splitlines():
        if line.startswith("== re") and "_lib_cmap_" in line:
            _, structure, size = line.split()
            found[structure] = int(size.removeprefix("size="))
    return found


def test_layouts_are_those_of_the_c_compiler():
    ours = {
        "req_lib_cmap_set": lib_wire.SET_LEN,
        "req_lib_cmap_delete": lib_wire.NAMED_LEN,
        "req_lib_cmap_get": lib_wire.GET_LEN,
        "req_lib_cmap_adjust_int": lib_wire.ADJUST_INT_LEN,
        "req_lib_cmap_iter_init": lib_wire.NAMED_LEN,
        "req_lib_cmap_iter_next": lib_wire.HANDLE_LEN,
        "req_lib_cmap_iter_finalize": lib_wire.HANDLE_LEN,
        "req_lib_cmap_track_add": lib_wire.TRACK_ADD_LEN,
        "req_lib_cmap_track_delete": lib_wire.HANDLE_LEN,
        "req_lib_cmap_set_current_map": lib_wire.SET_CURRENT_MAP_LEN,
        "res_lib_cmap_set": 24,
        "res_lib_cmap_delete": 24,
        "res_lib_cmap_get": lib_wire.GET_RESPONSE_LEN,
        "res_lib_cmap_adjust_int": 24,
        "res_lib_cmap_iter_init": lib_wire.HANDLE_RESPONSE_LEN,
        "res_lib_cmap_iter_next": lib_wire.ITER_NEXT_RESPONSE_LEN,
        "res_lib_cmap_iter_finalize": 24,
        "res_lib_cmap_track_add": lib_wire.HANDLE_RESPONSE_LEN,
        "res_lib_cmap_track_delete": lib_wire.HANDLE_RESPONSE_LEN,
        "res_lib_cmap_notify_callback": 24 + lib_wire.NOTIFY.size,
    }
    assert ours == sizes_in_c()


def test_what_is_set_can_be_got(library):
    assert library.set("some.key", STRING, b"text") == OK
    assert library.get("some.key", 0) == (STRING, 5, b"")
    assert library.get("some.key", 5) == (STRING, 5, b"text\0")
    assert library.get("some.key", 1 << 63) == (STRING, 5, b"text\0")
    assert library.get("some.key", 4) == 7
    assert library.get("some.other") == 12


@pytest.mark.parametrize(
    ("request_", "error"),
    [
        (("a b", UINT8, b"1"), 13),
        (("ab", UINT8, b"1"), 13),
        (("a.b", UINT8, b"12"), 7),
        (("a b", UINT8, b"12"), 7),
        (("a.b", 13, b"1"), 7),
        (("totem.version", UINT8, b"12"), 11),
        (("system.any thing", UINT8, b"1"), 11),
    ],
)
def test_what_cannot_be_set(served, library, request_, error):
    protect(served.icmap)
    assert library.set(*request_) == error
    assert not served.icmap.keys()
    assert not served.pumps


def test_read_only_keys_can_be_read(served, library):
    protect(served.icmap)
    served.icmap.set("totem.version", TypedValue.u32(2))
    assert library.get("totem.version") == (6, 4, b"\2\0\0\0")
    assert library.delete("totem.version") == 11
    assert library.adjust("totem.version", 1) == 11
    assert library.delete("totem.none") == 12


def test_adjust(served, library):
    library.set("a.number", UINT8, b"\xff")
    assert library.adjust("a.number", 2) == OK
    assert library.get("a.number") == (UINT8, 1, b"\1")
    library.set("a.word", STRING, b"w")
    assert library.adjust("a.word", 1) == 7
    assert library.adjust("a.none", 1) == 12


def test_the_daemon_may_send_after_each_change(served, library):
    library.set("a.number", UINT8, b"1")
    library.adjust("a.number", 1)
    library.delete("a.number")
    assert served.pumps == 3


def test_iteration(served, library):
    for key in ("b.x", "a.y", "a.x"):
        library.set(key, STRING, b"abc")
    assert library.keys() == ["a.x", "a.y", "b.x"]
    assert library.keys("a.") == ["a.x", "a.y"]
    assert library.keys("c.") == []
    handle = library.iter_init("b.")
    assert library.iter_next(handle) == ("b.x", STRING, 4)
    assert [library.iter_next(handle) for _ in range(2)] == [27, 27]
    assert library.iter_finalize(handle) == OK
    assert library.iter_next(handle) == 9
    assert library.iter_finalize(handle) == 9


def test_ten_thousand_keys_are_listed_in_single_steps(served, library):
    for number in range(10_000):
        served.icmap.set(f"bench.key.{number}", TypedValue.u32(number))
    assert len(library.keys("bench.")) == 10_000


def test_handles_belong_to_their_client(served, library):
    library.set("a.key", UINT8, b"1")
    other = served.client()
    handle, tracker = library.iter_init(), library.track_add("a.key", EVERY)
    assert handle != tracker
    for number in (handle, tracker):
        assert other.iter_next(number) == 9
        assert other.iter_finalize(number) == 9
        assert other.track_delete(number) == (9, 0)


def test_trackers_tell_of_changes(served, library):
    other = served.client()
    handle = library.track_add("a.", EVERY | PREFIX, instance=99)
    for value in (b"1", b"1", b"2"):
        other.set("a.key", UINT8, value)
    other.delete("a.key")
    other.set("b.key", UINT8, b"1")
    assert library.changes() == [
        Change(99, 4, "a.key", (UINT8, b"1"), (0, b"")),
        Change(99, 2, "a.key", (UINT8, b"2"), (UINT8, b"1")),
        Change(99, 1, "a.key", (0, b""), (UINT8, b"2")),
    ]
    assert library.track_delete(handle) == (OK, 99)
    assert library.track_delete(handle) == (9, 0)
    other.set("a.key", UINT8, b"1")
    assert not library.changes()
    assert not other.changes()


def test_trackers_of_all_keys(library):
    library.track_add("", EVERY | PREFIX, instance=1)
    library.track_add("", EVERY, instance=2)
    library.set("a.key", STRING, b"")
    assert library.changes() == [Change(1, 4, "a.key", (STRING, b"\0"), (0, b""))]
    assert library.track_add("a.key", 16) == -7


def test_maps_are_chosen_while_nothing_is_open(served, library):
    served.stats.set("stats.x", TypedValue.u64(5))
    assert library.get("stats.x") == 12
    handle = library.iter_init()
    assert library.set_current_map(1) == 10
    library.iter_finalize(handle)
    handle = library.track_add("a.key", EVERY)
    assert library.set_current_map(1) == 10
    library.track_delete(handle)
    assert [library.set_current_map(number) for number in (2, -1)] == [12, 12]
    assert library.set_current_map(1) == OK
    assert library.get("stats.x") == (UINT64, 8, (5).to_bytes(8, "little"))
    assert library.keys() == ["stats.x"]
    assert served.client().get("stats.x") == 12, "others keep the map they have"


def test_a_client_that_is_gone_leaves_nothing_but_keys(served, library):
    library.set("a.key", UINT8, b"1")
    library.iter_init()
    library.track_add("a.key", EVERY)
    library.track_add("", EVERY | PREFIX)
    sessions = served.handler.sessions
    assert (sessions.iterators, sessions.trackers) == (1, 2)
    library.disconnect()
    assert (sessions.iterators, sessions.trackers) == (0, 0)
    assert served.icmap._trackers.count == 0
    served.icmap.set("a.key", TypedValue.u8(0))
    assert not library.client.events
    library.disconnect()


def test_limits_of_one_client_and_of_all(monkeypatch, served, library):
    monkeypatch.setattr(session, "ITERATORS_PER_CLIENT_MAX", 2)
    monkeypatch.setattr(session, "ITERATORS_MAX", 3)
    monkeypatch.setattr(session, "TRACKERS_PER_CLIENT_MAX", 2)
    monkeypatch.setattr(session, "TRACKERS_MAX", 3)
    monkeypatch.setattr(session, "KEYS_PER_CLIENT_MAX", 2)
    other, init = served.client(), name("")
    assert [library.ask(4, init).error for _ in range(3)] == [OK, OK, 8]
    assert [other.ask(4, init).error for _ in range(2)] == [OK, 8]
    assert [library.track_add("a.key", EVERY) > 0 for _ in range(3)] == [True, True, False]
    assert [other.track_add("a.key", EVERY) for _ in range(2)][1] == -8
    assert [library.set(f"a.key{n}", UINT8, b"1") for n in range(3)] == [OK, OK, 8]
    assert library.set("a.key1", UINT8, b"2") == OK
    assert other.set("a.key3", UINT8, b"1") == OK
    assert other.delete("a.key1") == OK
    assert library.set("a.key4", UINT8, b"1") == OK, "keys that are gone do not count"
    assert library.set("a.key3", UINT8, b"2") == OK, "nor do keys of others"
    library.disconnect()
    assert other.ask(4, init).error == OK


# -- what no library sends


@pytest.mark.parametrize("number", [-1, 10, 11, 1 << 30])
def test_unknown_requests(library, number):
    answer = library.ask(number, bytes(1000))
    assert answer == (*NOTHING, b"")
    assert library.client.stats.invalid_request == 1


@pytest.mark.parametrize("number", range(10))
def test_requests_that_are_too_short(served, library, number):
    size = served.handler._table[number].size
    for length in {0, 1, size - REQUEST.size - 1}:
        assert library.ask(number, bytes(length)) == (*NOTHING, b"")


@pytest.mark.parametrize("value_len", [2, 1 << 31, (1 << 64) - 1])
def test_a_value_that_reaches_beyond_its_request(library, value_len):
    assert library.set("a.key", BINARY, b"1", value_len) == 7
    assert library.get("a.key") == 12


def test_names_without_an_end(served, library):
    endless = Struct("=H6x256s").pack(0xFFFF, b"a" * 256)
    assert library.ask(0, endless + Struct("=QB7x").pack(1, UINT8) + b"1").error == 13
    assert library.ask(1, endless).error == 12
    assert library.ask(7, endless + Struct("=i4xQ").pack(EVERY, 1)).error == OK
    assert library.ask(4, endless).error == OK
    assert not served.icmap.keys()


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_hostile_requests_are_answered_once_each(data):
    served = Served()
    protect(served.icmap)
    clients = [served.client() for _ in range(2)]
    keys = st.sampled_from(["a.key", "a.kez", "totem.version", "a b", "", "\xff\xfe", "x" * 256])
    for _ in range(data.draw(st.integers(1, 8))):
        number = data.draw(st.integers(-1, 11))
        named = number in {0, 1, 2, 3, 4, 7} and data.draw(st.booleans())
        body = name(data.draw(keys))[:264] if named else b""
        body += data.draw(st.binary(max_size=300))
        library = data.draw(st.sampled_from(clients))
        answer = library.ask(number, body)
        assert answer.error in {1, 7, 9, 10, 11, 12, 13, 27}
    for library in clients:
        library.disconnect()
    assert (served.handler.sessions.iterators, served.handler.sessions.trackers) == (0, 0)
