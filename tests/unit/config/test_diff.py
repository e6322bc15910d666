"""What a changed file asks of a node that runs."""

import pytest

from corosync_tw.config.diff import plan_change
from corosync_tw.config.keys import config_keys
from corosync_tw.config.live import with_live_keys
from corosync_tw.config.load import load_text
from tests.unit.config.hosts import conf, host

QUORUM = "quorum {\nprovider: corosync_votequorum\n}\n"
ONE, TWO = (1, "ring0_addr: 192.168.1.1"), (2, "ring0_addr: 192.168.1.2")
THREE = (3, "ring0_addr: 192.168.1.3")


def load(**parts):
    return load_text(conf(**{"rest": QUORUM, **parts}), "corosync.conf", host())


def plan(old, new):
    change, faults = plan_change(old, config_keys(old), new)
    assert faults == []
    return change


def test_the_same_file_changes_nothing():
    change = plan(load(), load())
    assert (change.added, change.removed, change.kept) == ((), (), ())
    assert change.keys == config_keys(load())


def test_nodes_come_and_go():
    change = plan(load(), load(nodes=[ONE, THREE]))
    assert [m.nodeid for m in change.added] == [3]
    assert [m.nodeid for m in change.removed] == [2]
    assert change.config.timing == load().timing
    assert change.keys["nodelist.node.1.nodeid"].value == 3
    bigger = plan(load(), load(nodes=[ONE, TWO, THREE]))
    assert bigger.keys["runtime.config.totem.token"].value == 3650


@pytest.mark.parametrize(
    ("before", "after", "key"),
    [
        ({}, {"totem": "netmtu: 1400"}, "totem.netmtu"),
        ({"totem": "netmtu: 1400"}, {}, "totem.netmtu"),
        ({}, {"transport": "udp"}, "totem.transport"),
        ({}, {"totem": "interface {\nmcastport: 5500\n}"}, "totem.interface.0.mcastport"),
        ({}, {"rest": QUORUM + "quorum {\nwait_for_all: 1\n}"}, "quorum.wait_for_all"),
        ({}, {"rest": QUORUM + "system {\nsched_rr: no\n}"}, "system.sched_rr"),
    ],
)
def test_what_needs_a_restart_stays(before, after, key):
    old, new = load(**before), load(**after)
    change = plan(old, new)
    lines = [line for line in change.kept if f"'{key}'" in line]
    assert len(lines) == 1
    assert lines[0].startswith(f"Modified entry '{key}' in corosync.conf cannot be changed at run-")
    assert change.keys.get(key) == config_keys(old).get(key)
    assert change.config.totem.netmtu_bytes == old.totem.netmtu_bytes
    assert change.config.transport() == old.transport()
    assert change.config.quorum.wait_for_all == old.quorum.wait_for_all
    assert change.config.system == old.system
    assert change.config.membership.links[0].port == old.membership.links[0].port


def test_the_line_of_what_stays_is_named():
    new = load(totem="\n\nnetmtu: 1400")
    (line,) = plan(load(), new).kept
    assert f"corosync.conf:{new.totem.line_of('netmtu')}: it stays unset" in line


@pytest.mark.parametrize(
    ("nodes", "fault"),
    [
        ([(5, "ring0_addr: 192.168.1.1"), TWO], "runs as 1: stop it before its nodeid changes"),
        ([ONE, (2, "ring0_addr: 192.168.1.9")], "node 2 runs with 192.168.1.2"),
    ],
)
def test_other_identities_are_refused(nodes, fault):
    old = load()
    change, faults = plan_change(old, config_keys(old), load(nodes=nodes))
    assert change is None
    assert len(faults) == 1
    assert faults[0].startswith("corosync.conf:")
    assert fault in faults[0]


class TestLiveKeys:
    """Directives that clients set in the map."""

    def live(self, config, **changes):
        keys = config_keys(config)
        texts = {key: str(value.value) for key, value in keys.items()}
        for name, text in changes.items():
            key = name.replace("__", ".")
            if text is None:
                del texts[key]
            else:
                texts[key] = text
        return with_live_keys(config, texts)

    def test_nothing_changed(self):
        config, faults = self.live(load())
        assert faults == []
        assert config == load()

    def test_a_token_timeout(self):
        config, _ = self.live(load(), totem__token="5000")
        assert config.timing.token_timeout_ms == 5000
        assert config.timing.consensus_timeout_ms == 6000
        deleted, _ = self.live(load(totem="token: 5000"), totem__token=None)
        assert deleted.timing.token_timeout_ms == 3000

    def test_debug_of_one_subsystem(self):
        config, _ = self.live(
            load(), logging__logger_subsys__TOTEM__debug="on", logging__to_stderr="no"
        )
        (totem,) = config.logging.subsystems
        assert (totem.subsys, totem.debug, config.logging.to_stderr) == ("TOTEM", "on", False)

    def test_expected_votes(self):
        config, _ = self.live(load(), quorum__expected_votes="7", quorum__wait_for_all="1")
        assert config.quorum.expected_votes == 7
        assert config.quorum.wait_for_all is None

    def test_values_that_do_not_work_are_refused(self):
        config, faults = self.live(load(), totem__token="10")
        assert config is None
        assert "totem.token" in faults[0]
