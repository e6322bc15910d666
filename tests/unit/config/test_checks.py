"""What has to hold between directives, and what this version says of the rest."""

import pytest

from corosync_tw.config.load import load_text
from corosync_tw.config.unsupported import unsupported
from corosync_tw.errors import ConfigError
from tests.unit.config.hosts import conf, host


def load(content, machine=None):
    return load_text(content, "f", machine or host())


def faults(content, machine=None):
    with pytest.raises(ConfigError) as caught:
        load(content, machine)
    return caught.value.faults


NOT_A_NUMBER = 'expected to be integer in range (0..4294967295), but "soon" was given'
NO_PROVIDER = '"dice" is unknown, should be corosync_votequorum or corosync_ykd'
NO_ADDRESS = (
    "failed to parse node address 'nobody' as ipv6-4, write an address or a name that resolves here"
)
TWICE = "Nodeid 1 appears twice in corosync.conf, first in line 10; every node needs its own"


def test_all_faults_at_once_each_with_its_line():
    content = conf(
        totem="token: soon\nmerge: 5",
        nodes=[(1, "ring0_addr: 192.168.1.1"), (1, "ring0_addr: nobody")],
        rest="quorum {\nprovider: dice\n}\nlogging {\ndebug: loud\n}",
    )
    found = [fault.split(": ", 2) for fault in faults(content)]
    assert found == [
        ["f:5", "totem.token", NOT_A_NUMBER],
        ["f:22", "logging.debug", '"loud" is unknown, should be on, off or trace'],
        ["f:19", "quorum.provider", NO_PROVIDER],
        ["f:15", "nodelist.node.ring0_addr", NO_ADDRESS],
        ["f:14", "nodelist.node.nodeid", TWICE],
        ["f:6", "totem.merge", "5 ms may not be less than 30 ms"],
    ]


@pytest.mark.parametrize(
    ("totem", "fault"),
    [
        ("version: 1", "totem.version: 1 is not a known version, should be 2"),
        ("netmtu: 100", "totem.netmtu: 100 bytes do not work, should be 576 to 65535"),
        (
            "logging {\n}",
            "f:5: totem.logging: logging cannot stand inside totem, close the section",
        ),
        ("secauth: on", "only valid for the Knet transport"),
        ("interface {\nttl: 2\n}", "Can only set ttl on multicast"),
        ("interface {\nlinknumber: 9\nttl: 1\n}", "bigger than allowed maximum 7"),
        ("interface {\nmember {\nip: 1\n}\n}", "only memberaddr is allowed"),
        ("interface {\nmember {\nx {\n}\n}\n}", "no section is allowed within member"),
    ],
)
def test_totem(totem, fault):
    assert fault in faults(conf(totem=totem))[0]


def test_a_key_must_be_there_and_long_enough():
    content = conf(transport="knet", totem="secauth: on\nkeyfile: /k")
    assert "Could not open /k: No such file or directory" in faults(content)[0]
    short = host("here", read_key=lambda _: b"k" * 127)
    assert "Could only read 1016 bits of minimum 1024" in faults(content, short)[0]
    good = load(content, host("here", read_key=lambda _: b"k" * 128))
    assert good.totem.crypto() == ("aes256", "sha256")
    inline = conf(transport="knet", totem="secauth: on\nkey: " + "k" * 126)
    assert "key is too short (126 characters), should be at least 127" in faults(inline)[0]


def test_a_cipher_needs_a_hash():
    content = conf(transport="knet", totem="crypto_cipher: aes128\nkey: " + "k" * 127)
    (fault,) = faults(content)
    assert fault.startswith("f:5: totem.crypto_cipher: crypto_cipher requires crypto_hash with")


@pytest.mark.parametrize(
    ("quorum", "fault"),
    [
        ("two_node: 1\ndevice {\nmodel: net\n}", "not compatible with two_node"),
        ("allow_downscale: 1\ndevice {\nmodel: net\n}", "not compatible with allow_downscale"),
        ("expected_votes: 3\ndevice {\nmodel: net\n}", "quorum.device.votes: must be specified"),
        ("expected_votes: 3\ndevice {\nmodel: net\nvotes: 2\n}", "2 is too high"),
    ],
)
def test_quorum(quorum, fault):
    rest = f"quorum {{\nprovider: corosync_votequorum\n{quorum}\n}}"
    assert fault in faults(conf(rest=rest))[0]


def test_tie_breaker_of_an_odd_cluster():
    nodes = [(n, f"ring0_addr: 192.168.1.{n}") for n in (1, 2, 3)]
    rest = "quorum {\nprovider: corosync_votequorum\nauto_tie_breaker: 1\n%s\n}"
    alone = load(conf(nodes=nodes, rest=rest % ""))
    assert any("an odd sized cluster needs wait_for_all" in w for w in alone.warnings)
    both = faults(conf(nodes=nodes, rest=rest % "last_man_standing: 1"))
    assert "last_man_standing not available in odd sized cluster" in both[0]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            conf(transport="knet", totem="interface {\nknet_transport: sctp\n}"),
            "f:6: totem.interface.knet_transport: sctp is not in this version",
        ),
        (conf(transport="knet", totem="netmtu: 70000"), "f:5: totem.netmtu: 70000 bytes do not"),
        (conf(transport="iba"), "f:4: totem.transport: iba is not in this version"),
    ],
)
def test_what_this_version_cannot_run_is_no_fault_of_the_file(content, message):
    assert any(message in text for text in unsupported(load(content)))


def test_nothing_is_unsupported_in_a_plain_file():
    assert unsupported(load(conf())) == []
    assert unsupported(load(conf(transport="knet"))) == []
    sealed = conf(transport="knet", totem="crypto_hash: md5\nkey: " + "k" * 127)
    assert unsupported(load(sealed)) == []
    assert unsupported(load(conf(rest="quorum {\nprovider: corosync_ykd\n}"))) == []


@pytest.mark.parametrize(
    ("content", "warning"),
    [
        (conf(totem="knet_mtu: 1000"), "totem.knet_mtu: has no effect with transport udpu"),
        (conf(totem="max_messages: 60"), "60 is never reached, window_size is 50"),
        (conf(totem="nodeid: 7"), "totem.nodeid: is ignored"),
        (conf(totem="threads: 2"), "totem.threads: has no effect, 3.x has none"),
        (conf(totem="token: 2000\ntoken: 3000"), "f:6: totem.token: overrides line 5"),
        (conf(totem="tokn: 2000"), "f:5: totem.tokn: is not a directive"),
        (conf(totem="secauth: perhaps"), "the default is used, as in Corosync"),
        (conf(totem="interface {\nringnumber: 1\nttl: 3\n}"), "ring 1 has no effect"),
        (conf(totem="interface {\nmember {\nmemberaddr: beta\n}\n}"), "the nodelist says who"),
        (conf(totem="interface {\nbindnetaddr: 10.0.0.0\n}"), "bindnetaddr: is ignored"),
        (conf(rest="service {\nver: 0\n}"), "service: has no effect, plug-ins are built in"),
        (conf(rest="amf {\nmode: enabled\n}"), "amf: has no effect"),
        (conf(rest="aisexec {\nuser: root\n}"), "aisexec: has no effect"),
        (conf(rest="compatibility: whitetank"), "compatibility: has no effect"),
        (conf(rest="party {\nbeer: 1\n}"), "party: is not a section"),
        (conf(rest="nodelist {\nnode {\nname: x\n}\n}"), "a second nodelist overlays"),
        (conf(rest="logging {\nto_file: no\n}"), "is the old name of to_logfile"),
        (conf(rest="logging {\nto_logfile: yes\n}"), "has no effect without logfile"),
        (conf(rest="logging {\nlogger_subsys {\nsubsys: NONE\n}\n}"), "is not a subsystem"),
        (conf(rest="pload {\ncount: many\n}"), "pload.count: expected to be integer"),
    ],
)
def test_warnings_name_what_has_no_effect(content, warning):
    assert any(warning in text for text in load(content).warnings)


def test_unknown_keys_are_kept():
    config = load(conf(rest="party {\nroom {\nbeer: 1\n}\n}\ncompatibility: none"))
    assert config.extra == {"compatibility": "none", "party.room.beer": "1"}
    assert "3 to 255 letters" in faults(conf(rest="party {\nb eer: 1\n}"))[0]


def test_logging_by_subsystem():
    rest = """logging {
    debug: on
    logger_subsys {
        subsys: TOTEM
        debug: trace
    }
    logging_daemon {
        name: corosync
        subsys: TOTEM
        to_stderr: no
    }
    logging_daemon {
        name: corosync
        fileline: on
    }
    logging_daemon {
        name: qdiskd
        debug: on
    }
}"""
    logging = load(conf(rest=rest)).logging
    (totem,) = logging.subsystems
    assert (totem.subsys, totem.debug, totem.to_stderr) == ("TOTEM", "trace", False)
    assert (logging.debug, logging.fileline, logging.to_syslog) == ("on", True, None)
    assert [daemon.name for daemon in logging.daemons] == ["qdiskd"]


@pytest.mark.parametrize(
    ("block", "fault"),
    [
        ("logger_subsys {\ndebug: on\n}", "has no subsys"),
        ("logger_subsys {\nsubsys: A B\n}", "Can't store key"),
        ("logger_subsys {\nsubsys: " + "S" * 64 + "\n}", "at most 63"),
        ("logging_daemon {\ndebug: on\n}", "has no name"),
    ],
)
def test_faults_of_logging(block, fault):
    assert fault in faults(conf(rest=f"logging {{\n{block}\n}}"))[0]
