"""From files to parameters: examples, 1.x files, uidgid.d, and whatever else may be in a file."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corosync_tw.config.load import (
    check,
    load_file,
    load_text,
    service_params,
    totem_params,
)
from corosync_tw.config.schema import all_directives
from corosync_tw.config.this_host import this_host
from corosync_tw.config.unsupported import unsupported
from corosync_tw.corotypes import NS_PER_MS
from corosync_tw.errors import ConfigError
from tests.unit.config.hosts import conf, host

CONF = Path(__file__).parents[3] / "conf"


def test_example_of_3x():
    config = load_file(str(CONF / "corosync.conf.example"), host=host())
    assert (config.nodeid, config.warnings, unsupported(config)) == (1, (), [])
    assert config.timing.token_timeout_ms == 3650


def test_example_of_1x_multicast():
    config = load_file(str(CONF / "corosync.conf.example.udp"), host=host())
    (link,) = config.membership.links
    assert (config.transport(), config.nodeid, link.members) == ("udp", 1, ())
    assert str(link.mcast_address) == "239.255.1.1"
    assert str(link.local_address) == "192.168.1.1"
    named = {warning.split(":")[2].strip() for warning in config.warnings}
    assert named == {"compatibility", "totem.threads", "amf", "amf.mode"}
    assert unsupported(config) == []
    assert service_params(config).expected_votes == 3


def test_example_of_1x_unicast():
    config = load_file(str(CONF / "corosync.conf.example.udpu"), host=host())
    (link,) = config.membership.links
    assert config.nodeid == 0xC0A80101
    assert [m.nodeid for m in link.members] == [0xC0A80101, 0xC0A80102, 0xC0A80103]
    assert config.timing.token_timeout_ms == 3650


@pytest.mark.parametrize("number", [1, 2, 3])
def test_files_of_the_demonstration(number):
    config = load_file(str(CONF / "demo" / f"node{number}.conf"), host=host())
    assert (config.nodeid, config.warnings, unsupported(config)) == (number, (), [])
    assert str(config.membership.links[0].local_address) == f"127.7.1.{number}"
    assert config.system.state_dir == config.system.run_dir == f"var/node{number}"


LEGACY = "totem {{\nversion: 2\n{}\ninterface {{\nringnumber: 0\nbindnetaddr: {}\n{}\n}}\n}}\n"


def legacy(totem="", bindnetaddr="192.168.1.0", interface="mcastaddr: 239.1.1.1"):
    return load_text(LEGACY.format(totem, bindnetaddr, interface).encode(), "f", host())


def test_1x_without_transport_is_multicast():
    config = legacy()
    assert config.transport() == "udp"
    assert any("totem.transport: is udp, as in 1.x" in text for text in config.warnings)


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        ({"bindnetaddr": "10.0.0.0"}, "no address of this machine is in 10.0.0.0"),
        ({"bindnetaddr": "nowhere"}, "failed to parse node address"),
        ({"interface": ""}, "No multicast address specified for interface 0"),
        ({"totem": "transport: udpu"}, "udpu needs a nodelist"),
        (
            {
                "bindnetaddr": "fd00::",
                "totem": "ip_version: ipv6",
                "interface": "mcastaddr: ff15::1",
            },
            "An IPV6 network requires that a node ID be specified",
        ),
    ],
)
def test_1x_files_that_cannot_work(arguments, fault):
    with pytest.raises(ConfigError, match=fault):
        legacy(**arguments)


def test_1x_secauth_is_right_but_not_in_this_version():
    text = LEGACY.format("secauth: on", "192.168.1.0", "mcastaddr: 239.1.1.1").encode()
    config = load_text(text, "f", host("here", read_key=lambda _: bytes(128)))
    assert "encryption of 1.x is not in this version" in unsupported(config)[0]


def test_parameters_of_the_core():
    config = load_text(
        conf(totem="token: 1000\nmax_messages: 20\nnetmtu: 1400\nsend_join: 7"), "f", host()
    )
    params = totem_params(config, config.nodeid)
    assert params.my_id == 1
    assert params.token_timeout_ns == 1000 * NS_PER_MS
    assert params.token_retransmit_timeout_ns == 238 * NS_PER_MS
    assert params.token_hold_timeout_ns == 180 * NS_PER_MS
    assert params.send_join_timeout_ns == 7 * NS_PER_MS
    assert (params.max_messages, params.frame_len_bytes_max) == (20, 1372)


def test_frames_leave_room_for_the_headers_of_ipv6():
    config = load_text(conf(nodes=[(1, "ring0_addr: fd00::1")]), "f", host())
    assert totem_params(config, 1).frame_len_bytes_max == 1452


def test_parameters_of_the_services():
    nodes = [(1, "ring0_addr: 192.168.1.1", "quorum_votes: 3"), (2, "ring0_addr: 192.168.1.2")]
    rest = "quorum {\nprovider: corosync_votequorum\ntwo_node: 1\n}"
    params = service_params(
        load_text(conf(nodes=nodes, rest=rest, totem="config_version: 9"), "f", host())
    )
    assert (params.votes, params.expected_votes, params.two_node) == (3, 4, True)
    assert (params.wait_for_all, params.votequorum, params.config_version) == (None, True, 9)
    assert params.ip_text == "r(0) ip(192.168.1.1) "
    assert not service_params(load_text(conf(), "f", host())).votequorum


def test_users_and_groups():
    rest = "uidgid {\nuid: hacluster\nuid: 7\n}\nuidgid {\ngid: haclient\n}"
    config = load_text(conf(rest=rest), "f", host(), uidgid_files=[("g", b"uidgid {\ngid: 8\n}\n")])
    assert (config.uidgid.uids, config.uidgid.gids) == ({189, 7}, {190, 8})


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"uidgid {\nuid: nobody-here\n}", 'g:2: uidgid.uid: the user "nobody-here" does not'),
        (b"uidgid {\ngid: 4294967296\n}", 'g:2: uidgid.gid: the group "4294967296" does not'),
        (b"uidgid {\nuser: 1\n}", "g:2: uidgid.user: is unknown, only uid and gid"),
        (b"totem {\n}", "g:1: totem: only a uidgid section is allowed here"),
        (b"uid: 5", "g:1: uid: only a uidgid section is allowed here"),
        (b"uidgid {\na {\n}\n}", "g:2: uidgid.a: no section is allowed within uidgid"),
        (b"}", "g:1: Unexpected closing brace"),
    ],
)
def test_faults_of_uidgid_files(content, fault):
    with pytest.raises(ConfigError) as caught:
        load_text(conf(), "f", host(), uidgid_files=[("g", content)])
    assert caught.value.faults[0].startswith(fault)


def test_files_beside_the_configuration(tmp_path):
    (tmp_path / "corosync.conf").write_bytes(conf())
    (tmp_path / "uidgid.d").mkdir()
    (tmp_path / "uidgid.d" / "cluster").write_text("uidgid {\nuid: 12\n}\n")
    (tmp_path / "uidgid.d" / "subdirectory").mkdir()
    path = str(tmp_path / "corosync.conf")
    assert load_file(path, host=host()).uidgid.uids == {12}
    assert check(path, host=host()) == ([], [])
    (tmp_path / "uidgid.d" / "broken").write_text("x")
    assert "broken:1: Line is not opening" in check(path, host=host())[1][0]


def test_a_file_that_is_not_there(tmp_path):
    path = str(tmp_path / "none.conf")
    with pytest.raises(ConfigError) as caught:
        load_file(path)
    assert caught.value.faults == [
        f"{path}:1: Can't read file: No such file or directory, name a readable file"
    ]
    assert check(str(tmp_path))[1][0].endswith("Is a directory, name a readable file")
    assert "Can't read file" in check("a\0b")[1][0]


def test_this_machine_knows_itself():
    machine = this_host()
    assert machine.resolve_one("127.0.0.1", "ipv4") in {i.ip for i in machine.interfaces}
    assert machine.resolve_one("", "ipv4") is None
    assert machine.uid_of("root") == 0
    assert machine.gid_of("root") == 0


def read(content):
    """Return (configuration, []) or (None, faults)."""
    try:
        return load_text(content, "f", host()), []
    except ConfigError as error:
        return None, error.faults


NAMES = sorted({part for name, _ in all_directives() for part in name.split(".")})
WORDS = st.sampled_from(
    [*NAMES, "node", "interface", "member", "memberaddr", "ring0_addr", "uidgid", "device"]
)
VALUES = st.sampled_from(["1", "0", "-1", "yes", "on", "192.168.1.1", "fd00::1", "x", "", "net"])
LINES = st.one_of(
    st.builds("{} {{".format, WORDS),
    st.just("}"),
    st.builds("{}: {}".format, WORDS, VALUES),
    st.builds("{}: {}".format, WORDS, VALUES),
)
PATHS = st.sampled_from(["totem", "totem.interface", "nodelist.node", "quorum", "quorum.device"])


@settings(deadline=None)
@given(st.lists(LINES, max_size=40))
def test_any_directives_end_in_a_config_or_a_config_error(lines):
    # As many closing braces as are missing, so that most files get past the grammar.
    depth = sum(line.endswith("{") for line in lines) - lines.count("}")
    text = "\n".join([*lines, *["}"] * max(depth, 0)])
    for content in (text.encode(), conf() + text.encode(), conf(totem=text)):
        config, faults = read(content)
        assert (config is None) == bool(faults)
        assert all(fault.startswith("f:") for fault in faults)


@settings(deadline=None)
@given(PATHS, WORDS, st.binary(max_size=20))
def test_any_value_ends_in_a_config_or_a_config_error(path, key, value):
    names = path.split(".")
    head = "".join(f"{name} {{\n" for name in names) + f"{key}: "
    tail = "\n" + "}\n" * len(names)
    config, faults = read(conf() + head.encode() + value + tail.encode())
    assert (config is None) == bool(faults)
