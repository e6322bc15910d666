"""
What packets that knet refuses tell of their senders, and the mistake that most likely made them.

The engine counts each and tells of one of a kind a minute.
Source: libknet 1.25 threads_rx.c, for the words of what it logs as well.
"""

from typing import Final

from corosync_tw.net.knet.stats import Refusal
from corosync_tw.totem.links import LinkEvent, Source

# {host} and {source} are nodeid and address as the packet and the network have them.
_TEXTS: Final[dict[int, str]] = {
    Refusal.MALFORMED: (
        "rx: Packets from {source} on link {link} are no packets of knet; they are dropped. Another"
        " program, a node with another totem.transport, or one that encrypts while we do not, sends"
        " to our port: compare totem.transport, crypto_cipher, crypto_hash and mcastport on all"
        " nodes."
    ),
    Refusal.UNSEALED: (
        "rx: Unable to decrypt packet from {source}! Its sender has another key or cipher: compare"
        " totem.keyfile or totem.key, crypto_cipher, crypto_hash and secauth on all nodes."
    ),
    Refusal.UNKNOWN_NODE: (
        "rx: Packets of node {host} come from {source}, but no such node is in our nodelist;"
        " they are dropped. Compare nodelist on all nodes, and mcastport with that of other"
        " clusters on this network."
    ),
    Refusal.WRONG_ADDRESS: (
        "rx: Packet rejected from {source}: node {host} has another address on link {link};"
        " compare ring{link}_addr in the nodelist with the addresses of that node."
    ),
    Refusal.SWAPPED_LINKS: (
        "rx: Packet rejected from {source}: it is for link {link}, but that is an address of node"
        " {host} on another link. Somebody has its ringX_addr in another order: compare the"
        " nodelist on all nodes, and cabling."
    ),
    Refusal.OWN_NODEID: (
        "rx: Packets with our own node id come from {source}; they are dropped. Another node uses"
        " our node id: give every node a nodeid of its own, or the network sends back what we send."
    ),
    Refusal.PONG_UNASKED: (
        "rx: Pongs from {source} for node {host} on link {link} answer none of our last pings; they"
        " are dropped. They are late copies, or forged."
    ),
    Refusal.PING_REPLAYED: (
        "rx: Old pings of node {host} come again from {source} on link {link}; they change nothing."
        " The network repeats packets, or somebody replays them, or two nodes have this nodeid."
    ),
    Refusal.FRAGMENT: (
        "rx: Fragments of node {host} from {source} contradict each other; they are dropped. Two"
        " nodes may have the same nodeid, or somebody forges packets."
    ),
    Refusal.COMPRESSION: (
        "rx: Messages of node {host} cannot be decompressed; they are dropped. It uses a"
        " knet_compression_model that is not installed here: install"
        " corosync_tw[compression], or choose zlib on all nodes."
    ),
    Refusal.CHANNEL: (
        "rx: Packets of node {host} are for a channel of knet that is not ours, as nozzle devices"
        " have; they are dropped."
    ),
    Refusal.PMTUD_UNASKED: (
        "rx: Answers to MTU probes come from {source} for node {host} on link {link}, but we sent"
        " none of that length; they are dropped."
    ),
}
_OTHER: Final = (
    "rx: Packets of node {host} from {source} on link {link} are dropped, cause: {cause}."
)


def refusal_text(event: LinkEvent, source: Source | None) -> str:
    """
    Say what a PACKET_REFUSED event means.

    :param source: of the last packet that was refused for this cause.
    """
    cause, count = event.values[:2]
    text = _TEXTS.get(cause, _OTHER)
    known = {int(each) for each in Refusal}
    said = text.format(
        host=event.nodeid,
        link=event.link,
        source=_address(source),
        cause=Refusal(cause).name.lower() if cause in known else cause,
    )
    return f"{said} ({count} so far)" if count > 1 else said


def _address(source: Source | None) -> str:
    if isinstance(source, tuple):
        host, port, *_ = source
        return f"[{host}]:{port}" if ":" in str(host) else f"{host}:{port}"
    return "an unknown address" if source is None else str(source)
