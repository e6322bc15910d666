"""Keys of cmap that a file makes; the interop tests compare them with stock's."""

from corosync_tw.config.keys import config_keys, readonly_keys
from corosync_tw.config.load import load_text
from corosync_tw.services.cmap.store import CmapStore
from corosync_tw.services.cmap.values import TypedValue
from tests.unit.config.hosts import conf, host


def keys(**parts):
    return config_keys(load_text(conf(**parts), "corosync.conf", host()))


def test_numbers_have_the_type_of_their_directive():
    found = keys(
        totem="token: +1500\nconfig_version: 7\nknet_compression_level: -2\nunknown: 5",
        rest="quorum {\nprovider: corosync_votequorum\ntwo_node: 1\n}\npload {\ncount: 9\n}\n",
    )
    assert found["totem.token"] == TypedValue.u32(1500)
    assert found["totem.config_version"] == TypedValue.u64(7)
    assert found["totem.knet_compression_level"] == TypedValue.i32(-2)
    assert found["totem.unknown"] == TypedValue.string("5")
    assert found["quorum.two_node"] == TypedValue.u8(1)
    assert found["pload.count"] == TypedValue.string("9")


def test_values_in_force():
    found = keys(totem="token: 1000\njoin: 0")
    assert found["runtime.config.totem.token"] == TypedValue.u32(1000)
    assert found["runtime.config.totem.token_retransmit"] == TypedValue.u32(238)
    assert found["runtime.config.totem.join"] == TypedValue.u32(50)
    assert found["nodelist.local_node_pos"] == TypedValue.u32(0)


def test_users_of_the_machine_become_numbers():
    found = keys(rest="uidgid {\nuid: hacluster\ngid: 0\n}\n")
    assert found["uidgid.config.uid.189"] == TypedValue.u8(1)
    assert found["uidgid.config.gid.0"] == TypedValue.u8(1)


def test_a_map_takes_all_keys():
    logging = "logging {\nlogger_subsys {\nsubsys: CPG\ndebug: on\n}\n}"
    store = CmapStore()
    store.replace((), keys(rest="a {\nb {\nc-d: x\n}\n}\n" + logging))
    assert store.get("a.b.c-d").value == "x"
    assert store.get("logging.logger_subsys.CPG.debug").value == "on"


def test_bytes_that_are_no_text_survive():
    content = conf().replace(b"cluster_name: test", b"cluster_name: t\xffst")
    found = config_keys(load_text(content, "corosync.conf", host()))
    assert found["totem.cluster_name"].encode() == b"t\xffst\0"


def test_read_only_keys_follow_the_provider():
    votes = load_text(
        conf(rest="quorum {\nprovider: corosync_votequorum\n}\n"), "corosync.conf", host()
    )
    assert "quorum.wait_for_all" in readonly_keys(votes)
    assert readonly_keys(load_text(conf(), "corosync.conf", host())) == ()
