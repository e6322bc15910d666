"""
Files for comparing us with stock's own test of a configuration: one good file and its mutations.

A case is the text of a file by a name that says what is special about it.
"""

import random

GOOD = """\
totem {
    version: 2
    cluster_name: corpus
    transport: %(transport)s
%(totem)s
    interface {
        linknumber: 0
%(interface)s
    }
}
nodelist {
    node {
        nodeid: 1
        ring0_addr: 127.0.0.1
%(node)s
    }
    node {
        nodeid: 2
        ring0_addr: 10.99.0.2
    }
%(nodelist)s
}
quorum {
    provider: corosync_votequorum
%(quorum)s
}
logging {
    to_stderr: no
    to_syslog: no
%(logging)s
}
system {
    sched_rr: no
%(system)s
}
%(top)s
"""


def conf(transport: str = "udpu", **parts: str) -> str:
    """Write the good file with more lines in some of its sections."""
    names = ("totem", "interface", "node", "nodelist", "quorum", "logging", "system", "top")
    assert set(parts) <= set(names)
    return GOOD % {"transport": transport, **dict.fromkeys(names, ""), **parts}


INTEGERS = ("0", "1", "-1", "+7", "-0", "007", "4294967295", "4294967296", "1.5", "0x10", "", "a")
TOTEM_CASES: dict[str, tuple[str, ...]] = {
    "version": ("1", "2", "3", "two"),
    "token": ("0", "29", "30", "125", "126", "127", "1000", "-1", "10s", "99999999999"),
    "token_coefficient": ("0", "-5", "100"),
    "token_warning": ("0", "100", "101"),
    "token_retransmit": ("0", "29", "30"),
    "token_retransmits_before_loss_const": ("0", "1", "99", "100"),
    "hold": ("0", "13", "14"),
    "join": ("0", "29", "30", "3600", "3601"),
    "consensus": ("0", "29", "49", "50", "100"),
    "merge": ("29", "30"),
    "downcheck": ("29", "30"),
    "max_network_delay": ("29", "30"),
    "send_join": ("0", "80"),
    "fail_recv_const": ("0", "x"),
    "seqno_unchanged_const": ("0", "3 0"),
    "heartbeat_failures_allowed": ("0", "3"),
    "window_size": INTEGERS,
    "max_messages": ("20",),
    "miss_count_const": ("",),
    "config_version": ("0", "18446744073709551615", "18446744073709551616"),
    "nodeid": ("5",),
    "threads": ("0", "x"),
    "netmtu": ("1500", "8982"),
    "rrp_problem_count_timeout": ("2000", "x"),
    "rrp_mode": ("none", "passive", "both"),
    "vsftype": ("ykd",),
    "ip_version": ("ipv4", "ipv6", "ipv4-6", "ipv6-4", "4"),
    "crypto_cipher": ("none", "aes256", "aes512"),
    "crypto_hash": ("none", "sha256", "sha3"),
    "crypto_model": ("nss", "openssl", "none"),
    "secauth": ("off", "on", "maybe"),
    "clear_node_high_bit": ("yes", "no", "maybe"),
    "block_unlisted_ips": ("yes", "maybe"),
    "cancel_token_hold_on_retransmit": ("yes", "maybe"),
    "link_mode": ("active", "passive", "rr", "fast", "x" * 70),
    "knet_compression_model": ("zlib", "none", "gzip"),
    "knet_compression_level": ("-3", "x"),
    "cluster_name": ("", "with blank"),
    "no_such_key": ("5",),
    "quorum {": ("\n two_node: 1\n}",),
    "bad key": ("5",),
    "b\u00e4d": ("5",),
}
INTERFACE_CASES: dict[str, tuple[str, ...]] = {
    "linknumber": ("0", "7", "8", "256", "x"),
    "ringnumber": ("0", "1", "x"),
    "mcastport": ("0", "5405", "65535", "65536", "-1", "x"),
    "ttl": ("1", "2", "256"),
    "broadcast": ("yes", "no", "maybe"),
    "bindnetaddr": ("127.0.0.1", "10.99.0.0", "not.an.address.invalid"),
    "mcastaddr": ("239.1.1.1", "999.1.1.1"),
    "knet_link_priority": ("0", "1", "2", "256"),
    "knet_ping_interval": ("100", "x"),
    "knet_transport": ("udp", "sctp", "tcp"),
    "member {": ("\n}", "\n memberaddr: 10.99.0.3\n}", "\n addr: 10.99.0.3\n}"),
}
UDP_CASES: dict[str, tuple[str, ...]] = {
    "mcastaddr": ("239.1.1.1", "10.1.1.1", "ff15::1"),
    "ttl": ("2", "0"),
    "broadcast": ("yes",),
    "mcastport": ("5405",),
    "knet_link_priority": ("2",),
}
NODE_CASES: dict[str, tuple[str, ...]] = {
    "nodeid": ("0", "3", "4294967295", "65536", "x"),
    "quorum_votes": ("0", "2", "-1"),
    "name": ("one", ""),
    "ring8_addr": ("127.0.0.1",),
    "ring0_addr": ("::1", "10.99.0.2", "nowhere.invalid", ""),
    "ring1_addr": ("10.98.0.1",),
}
QUORUM_CASES: dict[str, tuple[str, ...]] = {
    "expected_votes": ("2", "x"),
    "two_node": ("0", "1", "2", "256", "yes"),
    "wait_for_all": ("1",),
    "last_man_standing_window": ("10", "-"),
    "auto_tie_breaker_node": ("lowest", "1 2", "nobody"),
    "device {": (
        "\n model: net\n timeout: x\n}",
        "\n model: net\n votes: 1\n net {\n host: q\n }\n}",
    ),
}
LOGGING_CASES: dict[str, tuple[str, ...]] = {
    "debug": ("on", "off", "trace", "yes"),
    "timestamp": ("on", "off", "hires", "yes"),
    "fileline": ("on", "yes"),
    "function_name": ("off", "yes"),
    "blackbox": ("off", "no"),
    "to_file": ("no", "off", "1"),
    "to_logfile": ("on", "maybe"),
    "syslog_facility": ("local0", "LOCAL7", "local9", "daemon"),
    "syslog_priority": ("INFO", "warn", "debug"),
    "syslog_level": ("err", "bad"),
    "logfile_priority": ("info", "loud"),
    "logger_subsys {": (
        "\n subsys: TOTEM\n debug: on\n}",
        "\n debug: on\n}",
        "\n subsys: TOTEM\n debug: maybe\n}",
        "\n subsys: NO SUCH\n}",
        "\n subsys: mine\n}",
        "\n subsys: " + "S" * 64 + "\n}",
    ),
    "logging_daemon {": (
        "\n name: qdiskd\n debug: maybe\n}",
        "\n subsys: X\n}",
        "\n name: corosync\n debug: maybe\n}",
        "\n name: corosync\n subsys: TOTEM\n debug: on\n}",
    ),
}
SYSTEM_CASES: dict[str, tuple[str, ...]] = {
    "sched_rr": ("yes", "no", "on"),
    "qb_ipc_type": ("native", "shm", "socket", "tcp"),
    "move_to_root_cgroup": ("auto", "maybe"),
    "allow_knet_handle_fallback": ("yes", "1"),
    "priority": ("max", "-5", "high"),
}
TOP_CASES: dict[str, str] = {
    "no section": "compatibility: whitetank",
    "short key": "ab: 1",
    "service": "service {\n name: pacemaker\n ver: 0\n}",
    "aisexec": "aisexec {\n user: root\n}",
    "unknown section": "qnet {\n a {\n b: 1\n }\n}",
    "uidgid root": "uidgid {\n uid: root\n gid: 0\n}",
    "uidgid unknown user": "uidgid {\n uid: nobody-of-that-name\n}",
    "uidgid unknown group": "uidgid {\n gid: no-such-group\n}",
    "uidgid other key": "uidgid {\n user: root\n}",
    "resources": "resources {\n watchdog_timeout: x\n}",
    "resources good": "resources {\n watchdog_device: off\n system {\n memory_used {\n"
    " poll_period: 3000\n max: 80\n recovery: none\n }\n }\n}",
    "resources poll period": "resources {\n system {\n memory_used {\n poll_period: x\n }\n }\n}",
    "pload": "pload {\n count: many\n}",
    "second totem": "totem {\n token: 20\n}",
    "second totem good": "totem {\n token: 2000\n token: 3000\n}",
    "second nodelist": "nodelist {\n node {\n nodeid: 2\n }\n}",
    "unclosed": "quorum {",
    "extra close": "}",
    "two closes in a line": "quorum {\n} }",
    "text before close": "quorum {\n x }",
    "text after open": "quorum { two_node: 0\n}",
    "no name": "{\n}",
    "colon in head": "quorum: {\n two_node: 0\n}",
    "blank in head": "a quorum {\n}",
    "key in a head with blank": "a quorum {\n b: 1\n}",
    "one line section": "quorum { }",
    "empty key": "quorum {\n : 5\n}",
    "colon only": ":",
    "two colons": "quorum {\n abc::d\n}",
    "word": "quorum",
    "word in section": "quorum {\n two_node 0\n}",
    "equals": "quorum {\n two_node = 0\n}",
    "comment": "  # anything } { :",
    "comment behind value": "quorum {\n two_node: 0 # no\n}",
    "brace in value": "quorum {\n name: a}b\n}",
    "dotted section": "totem.interface {\n mcastport: x\n}",
    "dotted key": "totem.token: 1",
    "carriage returns": "quorum {\r\n two_node: 0\r\n}\r",
    "carriage return inside": "quorum {\n two_node: 0\r \n}",
    "form feed": "\f",
    "number after vertical tab": "quorum {\n two_node: \v1\n}",
    "line of 510": "# " + "x" * 508,
    "line of 511": "# " + "x" * 509,
    "line of 512": "# " + "x" * 510,
    "value of 505": "abc: " + "x" * 505,
    "latin no-break space": "quorum {\n\udca0two_node: 0\n}",
    "utf-8 no-break space": "quorum {\n\u00a0two_node: 0\n}",
    "nul in line": "quorum {\n two_\0node: 0\n}",
    "nul line": "quorum {\n\0\n}",
    "deep": "a {\n" * 100 + "}\n" * 100,
    "too deep": "a {\n" * 130 + "}\n" * 130,
    "long path": "a" * 250 + " {\n bcd: 1\n}",
    "long path that fits": "a" * 200 + " {\n bcd: 1\n}",
}
WHOLE_CASES: dict[str, str] = {
    "empty file": "",
    "comments only": "# nothing\n\n",
    "binary": "".join(chr(0xDC00 + 128 + n % 128) for n in range(300)),
    "no nodelist, knet": "totem {\n version: 2\n}\n",
    "1.x multicast": "totem {\n version: 2\n secauth: off\n interface {\n ringnumber: 0\n"
    " bindnetaddr: 127.0.0.1\n mcastaddr: 239.255.1.1\n mcastport: 5405\n }\n}\n",
    "1.x udpu": "totem {\n version: 2\n transport: udpu\n interface {\n ringnumber: 0\n"
    " bindnetaddr: 127.0.0.1\n member {\n memberaddr: 127.0.0.1\n }\n mcastport: 5405\n }\n}\n",
    "transport iba": conf("iba"),
    "transport tcp": conf("tcp"),
    "transport knet": conf("knet"),
    "knet two links": conf("knet", node="ring1_addr: 127.0.0.1\nname: a"),
    "knet two links everywhere": conf("knet", node="ring1_addr: 127.0.0.1\nname: a").replace(
        "ring0_addr: 10.99.0.2", "ring0_addr: 10.99.0.2\nring1_addr: 10.98.0.2\nname: b"
    ),
    "knet two links no name": conf("knet", node="ring1_addr: 127.0.0.1\nname: a").replace(
        "ring0_addr: 10.99.0.2", "ring0_addr: 10.99.0.2\nring1_addr: 10.98.0.2"
    ),
    "udpu with two rings": conf(
        totem="rrp_mode: passive", node="ring1_addr: 127.0.0.2\nname: a"
    ).replace("ring0_addr: 10.99.0.2", "ring0_addr: 10.99.0.2\nring1_addr: 10.98.0.2\nname: b"),
    "knet priority": conf("knet", interface="knet_link_priority: 5"),
    "knet ttl": conf("knet", interface="ttl: 5"),
    "knet second link only in interface": conf(
        "knet", totem="interface {\nlinknumber: 1\nttl: 1\n}"
    ),
    "knet empty second link": conf("knet", totem="interface {\nlinknumber: 1\n}"),
    "knet no nodeid": conf("knet").replace("nodeid: 2", ""),
    "knet secauth without key": conf("knet", totem="secauth: on\nkeyfile: /nonexistent/key"),
    "knet cipher without hash": conf("knet", totem="crypto_cipher: aes256"),
    "knet hash only": conf("knet", totem="crypto_hash: sha256\nkey: " + "k" * 200),
    "knet key of 127": conf("knet", totem="secauth: on\nkey: " + "k" * 127),
    "knet key of 128": conf("knet", totem="secauth: on\nkey: " + "k" * 128),
    "udpu no nodeid": conf().replace("nodeid: 2", "").replace("nodeid: 1", ""),
    "udpu made nodeid twice": conf()
    .replace("nodeid: 2", "")
    .replace("nodeid: 1", "nodeid: 174260226"),
    "udpu ipv6 without nodeid": conf().replace("nodeid: 2", "").replace("10.99.0.2", "fd00::2"),
    "udpu ipv6": conf().replace("127.0.0.1", "::1").replace("10.99.0.2", "fd00::7"),
    "udpu mixed families": conf().replace("10.99.0.2", "fd00::7"),
    "duplicate nodeid": conf().replace("nodeid: 2", "nodeid: 1"),
    "duplicate address": conf().replace("10.99.0.2", "127.0.0.1"),
    "not our node": conf().replace("127.0.0.1", "10.99.0.77"),
    "loopback network": conf().replace("127.0.0.1", "127.9.9.9"),
    "node without address": conf().replace("ring0_addr: 10.99.0.2", ""),
    "name only": conf().replace("ring0_addr: 127.0.0.1", "name: localhost"),
    "link 1 only": conf().replace("ring0_addr", "ring1_addr"),
    "udpu second interface": conf(totem="interface {\nlinknumber: 1\nmcastport: 6000\n}"),
    "udp nodelist": conf("udp"),
    "udp no name": conf("udp").replace("cluster_name: corpus", ""),
    "udp ipv6": conf("udp", totem="ip_version: ipv6")
    .replace("127.0.0.1", "::1")
    .replace("10.99.0.2", "fd00::7"),
    "three nodes": conf(nodelist="node {\nnodeid: 3\nring0_addr: 10.99.0.3\n}"),
    "three nodes short token": conf(
        totem="token: 40", nodelist="node {\nnodeid: 3\nring0_addr: 10.99.0.3\n}"
    ),
    "no version": conf().replace("version: 2", ""),
    "no last newline": conf().rstrip("\n"),
    "crlf": conf().replace("\n", "\r\n"),
    "tabs": conf().replace("    ", "\t"),
}


def corpus() -> dict[str, bytes]:
    """Return every file of the corpus by its name."""
    files = {"good": conf(), **WHOLE_CASES}
    tables = (
        ("totem", "udpu", TOTEM_CASES),
        ("interface", "udpu", INTERFACE_CASES),
        ("interface", "udp", UDP_CASES),
        ("node", "udpu", NODE_CASES),
        ("quorum", "udpu", QUORUM_CASES),
        ("logging", "udpu", LOGGING_CASES),
        ("system", "udpu", SYSTEM_CASES),
    )
    for part, transport, table in tables:
        for key, texts in table.items():
            for text in texts:
                line = key + text if key.endswith("{") else f"{key}: {text}"
                name = f"{transport} {part} {line[:40]!r}"
                assert name not in files
                files[name] = conf(transport, **{part: line})
    for name, text in TOP_CASES.items():
        files[f"top {name}"] = conf(top=text)
    return {name: text.encode("utf-8", "surrogateescape") for name, text in files.items()}


def mutations(count: int, seed: int) -> dict[str, bytes]:
    """Damage a good file in ``count`` random ways; the same seed gives the same files."""
    rng = random.Random(seed)
    bases = [conf(), conf("udp"), conf("knet", node="name: a")]
    files = {}
    for number in range(count):
        lines = rng.choice(bases).splitlines(keepends=True)
        for _ in range(rng.randint(1, 3)):
            at = rng.randrange(len(lines))
            what = rng.randrange(7)
            if what == 0:
                del lines[at]
            elif what == 1:
                lines.insert(at, lines[at])
            elif what == 2:
                other = rng.randrange(len(lines))
                lines[at], lines[other] = lines[other], lines[at]
            elif what == 3:
                lines[at:] = [lines[at][: rng.randint(0, len(lines[at]))], ""]
            elif what == 4:
                lines[at] = lines[at].replace(": ", rng.choice([" ", ":", " : ", ":: ", " {"]))
            else:
                place = rng.randrange(len(lines[at]) or 1)
                lines[at] = lines[at][:place] + rng.choice("{}:#\t x0-\r") + lines[at][place + 1 :]
        files[f"mutation {number} of seed {seed}"] = "".join(lines).encode()
    return files
