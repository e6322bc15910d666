"""
The directives of ``totem`` and ``nodelist``: what forms the ring.

Source: corosync.conf(5) of 3.1.10, 2.4.6 and 1.4.10; defaults from exec/totemconfig.c, which the
manual sometimes contradicts.
"""

from dataclasses import dataclass

from corosync_tw.config import values
from corosync_tw.config.directive import SectionConfig, directive
from corosync_tw.config.schema_rrp import RrpConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class InterfaceConfig(SectionConfig):
    """One ``totem.interface``: a link, called a ring in 1.x."""

    linknumber: int = directive("linknumber", values.UINT8, 0, doc="Number of the link, 0 to 7.")
    ringnumber: int | None = directive(
        "ringnumber",
        values.lenient(values.UINT8),
        doc="Name of linknumber in 1.x and 2.x; without rrp_mode only ring 0 counts.",
    )
    bindnetaddr: str | None = directive(
        "bindnetaddr",
        values.TEXT,
        doc="Network or address to bind to where there is no nodelist; with a nodelist of which "
        "several addresses belong to this machine, the address that is ours.",
    )
    mcastaddr: str | None = directive(
        "mcastaddr", values.TEXT, doc="Multicast group of udp; by default made from cluster_name."
    )
    broadcast: bool = directive(
        "broadcast", values.YES_NO_LENIENT, False, doc="Use broadcast in place of multicast."
    )
    mcastport: int | None = directive(
        "mcastport",
        values.UINT16,
        doc="UDP port, default 5405 plus the link number; udp sends from the port below.",
    )
    ttl: int = directive("ttl", values.UINT8, 1, unit="hops", doc="Time to live of multicasts.")
    knet_link_priority: int = directive(
        "knet_link_priority", values.UINT8, 1, doc="Of the passive links the highest is used."
    )
    knet_ping_interval_ms: int | None = directive(
        "knet_ping_interval",
        values.UINT32,
        unit="ms",
        zero_is_default=True,
        doc="Between pings of a link, default token / (2 * knet_pong_count).",
    )
    knet_ping_timeout_ms: int | None = directive(
        "knet_ping_timeout",
        values.UINT32,
        unit="ms",
        zero_is_default=True,
        doc="Without a pong a link is down, default token / knet_pong_count.",
    )
    knet_ping_precision: int = directive(
        "knet_ping_precision", values.UINT32, 2048, unit="samples", doc="Of the mean latency."
    )
    knet_pong_count: int = directive(
        "knet_pong_count", values.UINT32, 2, zero_is_default=True, doc="Pongs until a link is up."
    )
    knet_transport: str = directive(
        "knet_transport", values.choice("udp", "sctp"), "udp", doc="Carrier of a knet link."
    )
    members: tuple[tuple[str, int], ...] = ()
    """Address and line of each ``member { memberaddr }`` (1.x, 2.x)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TotemConfig(RrpConfig):
    """The ``totem`` section."""

    version: int = directive("version", values.UINT32, 0, doc="Of the file format; must be 2.")
    transport: str | None = directive(
        "transport",
        values.choice("udpu", "udp", "knet", "iba"),
        doc="udp (multicast), udpu (unicast) or knet; default knet, without a nodelist udp.",
    )
    cluster_name: str | None = directive(
        "cluster_name", values.TEXT, doc="Name of the cluster; makes the multicast address of udp."
    )
    config_version: int = directive(
        "config_version",
        values.UINT64,
        0,
        doc="Grows with every change of the file; a node with an older one leaves the cluster.",
    )
    nodeid: int | None = directive(
        "nodeid", values.UINT32, doc="Node id where there is no nodelist (1.x); otherwise ignored."
    )
    clear_node_high_bit: bool = directive(
        "clear_node_high_bit",
        values.YES_NO_LENIENT,
        False,
        doc="Clear bit 31 of a node id made from an IPv4 address.",
    )
    ip_version: str | None = directive(
        "ip_version",
        values.choice("ipv4", "ipv6", "ipv6-4", "ipv4-6"),
        doc="Family that names resolve to, default ipv6-4, for udp ipv4.",
    )
    ip_dscp: int = directive("ip_dscp", values.DSCP, 0, doc="DSCP of all datagrams.")
    link_mode: str = directive(
        "link_mode",
        values.choice("active", "passive", "rr"),
        "passive",
        doc="Policy of knet links.",
    )
    netmtu_bytes: int | None = directive(
        "netmtu",
        values.UINT32,
        unit="bytes",
        zero_is_default=True,
        doc="Longest datagram with its IP and UDP headers, default 1500, for knet 65536.",
    )
    crypto_model: str = directive(
        "crypto_model", values.choice("nss", "openssl", "gcrypt"), "nss", doc="Library of knet."
    )
    crypto_cipher: str | None = directive(
        "crypto_cipher",
        values.choice("none", "aes256", "aes192", "aes128"),
        doc="Cipher of knet, default none, with secauth aes256.",
    )
    crypto_hash: str | None = directive(
        "crypto_hash",
        values.choice("none", "md5", "sha1", "sha256", "sha384", "sha512"),
        doc="Authentication of knet, default none, with secauth sha256.",
    )
    secauth: bool = directive(
        "secauth", values.ON_OFF_LENIENT, False, doc="Short for cipher aes256 and hash sha256."
    )
    keyfile: str = directive(
        "keyfile", values.TEXT, "/etc/corosync/authkey", doc="File of the key, 128 to 4096 bytes."
    )
    key: str | None = directive("key", values.TEXT, doc="The key itself, when there is no keyfile.")
    udp_crypto: str = directive(
        "udp_crypto",
        values.choice("none", "aes256-gcm", "chacha20-poly1305"),
        "none",
        doc="Cipher of udp and udpu between nodes of corosync_tw alone.",
    )
    token_timeout_ms: int = directive(
        "token",
        values.UINT32,
        3000,
        unit="ms",
        zero_is_default=True,
        doc="Silence of the token until the ring re-forms, for two nodes.",
    )
    token_coefficient_ms: int = directive(
        "token_coefficient",
        values.UINT32,
        650,
        unit="ms",
        doc="Added to token for every node above two.",
    )
    token_warning_percent: int = directive(
        "token_warning", values.UINT32, 75, unit="percent", doc="Of token until a warning; 0 never."
    )
    token_retransmits_before_loss_const: int = directive(
        "token_retransmits_before_loss_const",
        values.UINT32,
        4,
        zero_is_default=True,
        doc="Retransmissions of the token before it counts as lost.",
    )
    token_retransmit_timeout_ms: int | None = directive(
        "token_retransmit",
        values.UINT32,
        unit="ms",
        zero_is_default=True,
        doc="Until the token is sent again, default token / (retransmits_before_loss + 0.2).",
    )
    token_hold_timeout_ms: int | None = directive(
        "hold",
        values.UINT32,
        unit="ms",
        zero_is_default=True,
        doc="The representative keeps the token of an idle ring, default 0.8 * retransmit - 10.",
    )
    join_timeout_ms: int = directive(
        "join", values.UINT32, 50, unit="ms", zero_is_default=True, doc="Between Join messages."
    )
    send_join_timeout_ms: int = directive(
        "send_join", values.UINT32, 0, unit="ms", doc="Upper bound of a random delay before a Join."
    )
    consensus_timeout_ms: int | None = directive(
        "consensus",
        values.UINT32,
        unit="ms",
        zero_is_default=True,
        doc="Until a membership without agreement is tried anew, default 1.2 * token.",
    )
    merge_timeout_ms: int = directive(
        "merge", values.UINT32, 200, unit="ms", zero_is_default=True, doc="Between merge probes."
    )
    downcheck_timeout_ms: int = directive(
        "downcheck",
        values.UINT32,
        1000,
        unit="ms",
        zero_is_default=True,
        doc="Until an interface that was down is looked at again.",
    )
    fail_recv_const: int = directive(
        "fail_recv_const",
        values.UINT32,
        2500,
        unit="rotations",
        zero_is_default=True,
        doc="Without an expected message, after which we leave the ring.",
    )
    seqno_unchanged_const: int = directive(
        "seqno_unchanged_const",
        values.UINT32,
        30,
        unit="rotations",
        zero_is_default=True,
        doc="Without traffic, after which the token is held.",
    )
    heartbeat_failures_allowed: int = directive(
        "heartbeat_failures_allowed", values.UINT32, 0, doc="Lost heartbeats; 0 switches it off."
    )
    max_network_delay_ms: int = directive(
        "max_network_delay",
        values.UINT32,
        50,
        unit="ms",
        zero_is_default=True,
        doc="Of one datagram, for the heartbeat.",
    )
    window_size_msgs: int = directive(
        "window_size",
        values.UINT32,
        50,
        unit="messages",
        zero_is_default=True,
        doc="In one rotation, all nodes together.",
    )
    max_messages: int = directive(
        "max_messages",
        values.UINT32,
        17,
        unit="messages",
        zero_is_default=True,
        doc="A node may send at one visit of the token.",
    )
    accelerated_ring: bool = directive(
        "accelerated_ring",
        values.YES_NO_LENIENT,
        True,
        doc="Send messages behind the token too, where all members run corosync_tw.",
    )
    accelerated_window_msgs: int = directive(
        "accelerated_window",
        values.UINT32,
        0,
        unit="messages",
        zero_is_default=True,
        doc="At most so many behind the token; by default as many as the window allows.",
    )
    miss_count_const: int = directive(
        "miss_count_const",
        values.UINT32,
        5,
        unit="visits",
        zero_is_default=True,
        doc="Of the token until a missing message is asked for.",
    )
    cancel_token_hold_on_retransmit: bool = directive(
        "cancel_token_hold_on_retransmit",
        values.YES_NO_LENIENT,
        False,
        doc="Never hold the token while a retransmission is pending.",
    )
    block_unlisted_ips: bool = directive(
        "block_unlisted_ips",
        values.YES_NO_LENIENT,
        True,
        doc="Drop datagrams from addresses that are not in the nodelist.",
    )
    knet_pmtud_interval_s: int = directive(
        "knet_pmtud_interval",
        values.UINT32,
        30,
        unit="s",
        zero_is_default=True,
        doc="Between probes of the path MTU.",
    )
    knet_mtu_bytes: int = directive(
        "knet_mtu", values.UINT32, 0, unit="bytes", doc="Fixed MTU of knet; 0 probes."
    )
    knet_compression_model: str | None = directive(
        "knet_compression_model",
        values.choice("zlib", "lz4", "lz4hc", "lzo2", "lzma", "bzip2", "zstd"),
        doc="Compression of knet, default off.",
    )
    knet_compression_threshold_bytes: int = directive(
        "knet_compression_threshold",
        values.UINT32,
        0,
        unit="bytes",
        doc="Shorter messages go uncompressed; 0 means knet's 100.",
    )
    knet_compression_level: int = directive(
        "knet_compression_level", values.INT32, 0, doc="As the model understands it."
    )
    interfaces: tuple[InterfaceConfig, ...] = ()

    threads: int = directive(
        "threads", values.UINT32, 0, doc="Threads that encrypt (1.x).", no_effect="3.x has none"
    )
    vsftype: str | None = directive(
        "vsftype",
        values.TEXT,
        doc="Virtual synchrony filter (1.x).",
        no_effect="the quorum provider took its place",
    )
    crypto_type: str | None = directive(
        "crypto_type",
        values.TEXT,
        doc="Library of the 1.x cipher.",
        no_effect="use crypto_model, crypto_cipher and crypto_hash",
    )
    crypto_accept: str | None = directive(
        "crypto_accept",
        values.TEXT,
        doc="Which 1.x ciphers are accepted.",
        no_effect="use crypto_model, crypto_cipher and crypto_hash",
    )

    def crypto(self) -> tuple[str, str]:
        """Return cipher and hash in force, ``none`` where there is none."""
        cipher = self.crypto_cipher or ("aes256" if self.secauth else "none")
        hash_name = self.crypto_hash or ("sha256" if self.secauth else "none")
        return cipher, hash_name


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeConfig(SectionConfig):
    """One ``nodelist.node``."""

    nodeid: int = directive(
        "nodeid", values.UINT32, 0, doc="Of the node; udp and udpu make one from ring0_addr."
    )
    name: str | None = directive(
        "name", values.TEXT, doc="Of the node, its host name; needed with more than one link."
    )
    quorum_votes: int = directive("quorum_votes", values.UINT32, 1, doc="Votes of the node.")
    ring_addrs: tuple[tuple[int, str], ...] = ()
    """(link number, address) of each ``ringX_addr``, by link number."""
