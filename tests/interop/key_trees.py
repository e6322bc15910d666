"""Configurations whose keys are compared with stock's, each rich in something else."""

from typing import Final

ADDRESS: Final = "10.77.5.1"
HEAD: Final = "totem {{\n version: 2\n transport: {transport}\n cluster_name: keys\n{totem}\n}}\n"
NODES: Final = (
    f"nodelist {{\n node {{\n nodeid: 1\n name: n1\n ring0_addr: {ADDRESS}\n }}\n"
    " node {\n nodeid: 2\n name: n2\n ring0_addr: 10.77.5.2\n quorum_votes: 3\n }\n"
    " node {\n nodeid: 3\n name: n3\n ring0_addr: 10.77.5.3\n rack: b 7\n }\n}\n"
)
# A system section that a private machine can run, and silence.
TAIL: Final = (
    "system {{\n sched_rr: no\n state_dir: {state_dir}\n}}\n"
    "logging {{\n to_syslog: no\n to_stderr: yes\n}}\n"
)
QUORUM: Final = "quorum {\n provider: corosync_votequorum\n}\n"


def conf(rest: str = NODES + QUORUM, *, transport: str = "udpu", totem: str = "") -> str:
    return HEAD.format(transport=transport, totem=totem) + rest


CONFIGURATIONS: Final = {
    "plain": conf(),
    "every timeout": conf(
        totem=" token: 2500\n token_coefficient: 333\n token_warning: 0\n token_retransmit: 400\n"
        " token_retransmits_before_loss_const: 7\n hold: 300\n join: 61\n send_join: 9\n"
        " consensus: 7777\n merge: 201\n downcheck: 1001\n fail_recv_const: 2501\n"
        " seqno_unchanged_const: 31\n heartbeat_failures_allowed: 1\n max_network_delay: 51\n"
        " window_size: 60\n max_messages: 18\n miss_count_const: 6\n knet_pmtud_interval: 31\n"
        " knet_mtu: 0\n knet_compression_threshold: 100\n knet_compression_level: -3\n"
        " knet_compression_model: zlib\n block_unlisted_ips: no\n threads: 0\n netmtu: 1400\n"
        " cancel_token_hold_on_retransmit: yes\n config_version: 18446744073709551615\n"
        " clear_node_high_bit: yes\n ip_version: ipv4\n link_mode: active\n nodeid: 77\n"
        " secauth: off\n crypto_cipher: none\n crypto_hash: none\n crypto_model: nss\n"
        " rrp_mode: none\n rrp_problem_count_timeout: 2000\n vsftype: none\n ip_dscp: 10\n"
        " no_such_key: some text: with colon\n"
    ),
    "misspelt words and zeros": conf(
        totem=" token: 0\n token_warning: 100\n join: 0\n consensus: 0\n send_join: 0\n"
        " block_unlisted_ips: maybe\n cancel_token_hold_on_retransmit: on\n secauth: maybe\n"
        " token: 1000\n token: +2000\n max_messages: 007\n"
    ),
    "interface and members": conf(
        totem=" interface {\n linknumber: 0\n bindnetaddr: 10.77.5.0\n mcastaddr: 239.1.2.3\n"
        " broadcast: no\n mcastport: 5410\n ttl: 1\n knet_link_priority: 1\n"
        " knet_ping_interval: 111\n knet_ping_timeout: 222\n knet_ping_precision: 333\n"
        " knet_pong_count: 4\n knet_transport: udp\n colour: red\n"
        " member {\n memberaddr: 10.77.5.7\n }\n member {\n memberaddr: 10.77.5.8\n }\n }\n"
        " token: 4000\n"
    ),
    "multicast": conf(transport="udp", totem=" interface {\n knet_pong_count: 3\n }\n"),
    "broadcast": conf(
        transport="udp", totem=" interface {\n broadcast: yes\n mcastport: 5500\n }\n"
    ),
    "node ids made up": conf(
        f"nodelist {{\n node {{\n ring0_addr: {ADDRESS}\n }}\n node {{\n nodeid: 0\n"
        " ring0_addr: 10.77.5.2\n }\n}\nnodelist {\n node {\n name: first\n note:\n }\n}\n" + QUORUM
    ),
    "quorum and loggers": conf(
        NODES + "quorum {\n provider: corosync_votequorum\n expected_votes: 5\n votes: 1\n"
        " two_node: 0\n wait_for_all: 1\n last_man_standing: 1\n last_man_standing_window: 20000\n"
        " auto_tie_breaker: 0\n auto_tie_breaker_node: lowest\n allow_downscale: 0\n"
        " expected_votes_tracking: 0\n leaving_timeout: 3\n extra: 9\n"
        " device {\n votes: 1\n timeout: 5000\n sync_timeout: 6000\n master_wins: 0\n other: 3\n"
        " net {\n host: q\n port: 5403\n tls: off\n }\n"
        " heuristics {\n mode: on\n exec_ls: /bin/ls\n"
        " timeout: 77\n }\n }\n}\n"
        "logging {\n debug: off\n timestamp: on\n fileline: off\n function_name: off\n"
        " blackbox: on\n"
        " syslog_priority: INFO\n logfile_priority: notice\n to_logfile: no\n strange: yes\n"
        " logger_subsys {\n subsys: TOTEM\n debug: on\n debug: off\n syslog_priority: err\n"
        " name: x\n }\n"
        " logging_daemon {\n name: corosync\n subsys: CPG\n debug: on\n }\n"
        " logging_daemon {\n name: corosync\n fileline: off\n }\n"
        " logging_daemon {\n name: qdiskd\n debug: on\n }\n"
        " logging_daemon {\n name: fenced\n subsys: ALL\n debug: on\n }\n}\n"
    ),
    "everything else": conf(
        NODES + QUORUM + "uidgid {\n uid: root\n gid: 33\n}\nuidgid {\n uid: 4711\n}\n"
        "pload {\n count: 12\n size: 99\n}\ncfg {\n shutdown_timeout: 4000\n}\n"
        "resources {\n watchdog_timeout: 8\n watchdog_device: off\n other: 1\n"
        " system {\n memory_used {\n max: 97\n recovery: none\n }\n disk {\n poll_period: 700\n }\n"
        " }\n process {\n poll_period: 501\n web {\n poll_period: 900\n deeper {\n"
        " poll_period: 901\n }\n }\n }\n}\n"
        "nozzle {\n name: noz0\n ipaddr: 10.1.1.0\n ipprefix: 24\n}\n"
        "qnet {\n a {\n b: 1\n c-d/e: x y\n }\n}\ncompatibility: whitetank\n"
        "totem.token: 50\ntotem.interface {\n knet_ping_interval: 500\n}\n"
        "service {\n name: pacemaker\n ver: 0\n}\n"
        "quorum {\n two_node: 0\n}\ntotem {\n token: 1500\n}\n"
    ),
}
