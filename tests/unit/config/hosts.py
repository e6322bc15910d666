"""A machine for the checks that is the same everywhere."""

from ipaddress import ip_address, ip_interface

from corosync_tw.config.host import Host

NAMES = {"alpha": "192.168.1.1", "beta": "192.168.1.2", "six": "fd00::1"}


def resolve(name):
    try:
        return (ip_address(NAMES.get(name, name)),)
    except ValueError:
        return ()


def no_key(path):
    raise FileNotFoundError(2, "No such file or directory", path)


def host(name="here", *addresses, read_key=no_key):
    """Make a machine; by default with 192.168.1.1/24, fd00::1/64 and loopback."""
    chosen = addresses or ("127.0.0.1/8", "::1/128", "192.168.1.1/24", "fd00::1/64")
    return Host(
        name=name,
        interfaces=tuple(ip_interface(address) for address in chosen),
        resolve=resolve,
        read_key=read_key,
        uid_of={"hacluster": 189}.__getitem__,
        gid_of={"haclient": 190}.__getitem__,
    )


def conf(*, transport="udpu", totem="", nodes=None, rest=""):
    """Write a configuration; a node is (nodeid or None, further lines ...)."""
    nodes = nodes or [(1, "ring0_addr: 192.168.1.1"), (2, "ring0_addr: 192.168.1.2")]
    blocks = ""
    for nodeid, *lines in nodes:
        id_line = "" if nodeid is None else f"nodeid: {nodeid}\n"
        blocks += "node {\n" + id_line + "".join(f"{line}\n" for line in lines) + "}\n"
    return (
        f"totem {{\nversion: 2\ncluster_name: test\ntransport: {transport}\n{totem}\n}}\n"
        f"nodelist {{\n{blocks}}}\n{rest}\n"
    ).encode()
