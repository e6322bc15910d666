"""Each example of conf/ is a configuration that works, and gives what it says."""

import shutil
from pathlib import Path

import pytest

from corosync_tw.config.load import load_file, service_params, totem_params
from corosync_tw.config.unsupported import unsupported
from tests.unit.config.hosts import host

CONF = Path(__file__).parents[3] / "conf"
EXAMPLES = sorted(CONF.glob("corosync.conf.example*"))
WARNED_OF = {"corosync.conf.example.udp"}


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_an_example_works(path):
    config = load_file(str(path), host=host(read_key=lambda _: bytes(128)))
    assert unsupported(config) == []
    assert bool(config.warnings) is (path.name in WARNED_OF)
    totem_params(config, config.nodeid)
    service_params(config)


def test_two_nodes():
    config = load_file(str(CONF / "corosync.conf.example.two_node"), host=host())
    params = service_params(config)
    assert params.two_node
    assert params.expected_votes == 2


def test_two_links_of_knet():
    path = str(CONF / "corosync.conf.example.knet")
    config = load_file(path, host=host(read_key=lambda _: bytes(128)))
    assert [(link.linknumber, link.port) for link in config.membership.links] == [
        (0, 5405),
        (1, 5406),
    ]
    assert config.totem.crypto() == ("aes256", "sha256")


def test_the_watchdog():
    config = load_file(str(CONF / "corosync.conf.example.watchdog"), host=host())
    assert config.resources.watchdog_device == "/dev/watchdog"
    assert config.resources.watchdog_timeout_s == 30
    limits = {m.path: (m.max_value, m.recovery) for m in config.resources.monitors}
    assert limits["resources.system.memory_used"] == ("95", "watchdog")
    assert limits["resources.system.load_15min"] == ("50.0", "none")


def test_pacemaker_may_connect(tmp_path):
    shutil.copy(CONF / "corosync.conf.example", tmp_path / "corosync.conf")
    shutil.copytree(CONF / "uidgid.d", tmp_path / "uidgid.d")
    config = load_file(str(tmp_path / "corosync.conf"), host=host())
    assert (config.uidgid.uids, config.uidgid.gids) == ({189}, {190})


def test_two_rings():
    config = load_file(str(CONF / "corosync.conf.example.rings"), host=host())
    assert config.is_redundant()
    assert [str(link.local_address) for link in config.membership.links] == [
        "192.168.1.1",
        "192.168.2.1",
    ]
