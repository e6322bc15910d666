"""
Testing a configuration says what stock's ``corosync -t`` says, wherever stock is right.

Where it is not, the case stands below with the reason; once it no longer disagrees, the test fails.
"""

import re
import subprocess

import pytest

from corosync_tw.config.load import check
from tests.interop.config_corpus import corpus, mutations

STOCK = "/usr/sbin/corosync"
MUTATIONS = 150
SEED = 20260731

# Cases in which stock accepts and we refuse, with the reason why we are right.
STOCK_ACCEPTS_TOO_MUCH = {
    "duplicate address": "two nodes with one address cannot form a ring",
    "node without address": "nobody can send to that node",
    "udpu system 'priority: high'": "the daemon refuses it right after the test",
    "udpu totem 'quorum {\\n two_node: 1\\n}'": "a forgotten brace takes quorum out of the cluster",
    "udpu totem 'rrp_mode: both'": "a word of 1.x that counts here; its 1.x refuses it, too",
    "top empty key": "3.1.7 stores a key that ends in a dot, 3.1.8 and later refuse it",
    "top nul line": "3.1.7 takes a line that begins with NUL for empty; text has no NUL",
}
# Cases in which stock refuses and we accept.
STOCK_REFUSES_TOO_MUCH = {
    "1.x multicast": "3.x gave up files without a nodelist, we read them with a warning",
    "1.x udpu": "3.x gave up files without a nodelist, we read them with a warning",
    "udpu with two rings": "3.x has no redundant rings, ours are those of 1.x",
    "transport iba": "a word of 1.x: the file is right, and the daemon says that it cannot run it",
    "loopback network": "all of 127.0.0.0/8 reaches this machine, not only 127.0.0.1",
    "top latin no-break space": "3.1.8 and later skip it as a blank",
    "top utf-8 no-break space": "the same character in the encoding of our day",
}
# Faults of ours that stock's test does not look for, as random damage brings them about.
EXCUSED_FAULTS = {
    r"ring\d_addr: is missing": "see node without address",
    r"appears twice, every node needs its own$": "see duplicate address",
    r"Key name can't be empty": "see empty key",
    r'quorum\.provider: ".*" is unknown': "the daemon refuses it right after the test",
    r"nodelist\.node\.nodeid: Knet requires an explicit": "stock skips nodes without an address",
}
OTHER_LOOPBACK = re.compile(rb"127\.(?!0\.0\.1\s)")


def stock_accepts(path: str) -> bool:
    run = subprocess.run([STOCK, "-t", "-c", path], capture_output=True, check=False)
    return run.returncode == 0


@pytest.mark.interop
def test_corpus(tmp_path):
    path = str(tmp_path / "corosync.conf")
    accepts_more, refuses_more = set(), set()
    cases = corpus()
    for name, content in cases.items():
        (tmp_path / "corosync.conf").write_bytes(content)
        _, faults = check(path)
        if stock_accepts(path):
            accepts_more |= {name} if faults else set()
        else:
            refuses_more |= set() if faults else {name}
    assert len(cases) >= 300
    assert accepts_more == set(STOCK_ACCEPTS_TOO_MUCH)
    assert refuses_more == set(STOCK_REFUSES_TOO_MUCH)


@pytest.mark.interop
def test_damaged_files(tmp_path):
    path = str(tmp_path / "corosync.conf")
    surprises = []
    for name, content in mutations(MUTATIONS, SEED).items():
        (tmp_path / "corosync.conf").write_bytes(content)
        _, faults = check(path)
        if any("cannot stand inside" in fault for fault in faults):
            # A forgotten brace: 3.1.7 counts nodes by inner braces, so anything may follow.
            continue
        if stock_accepts(path):
            surprises += [
                f"{name}: only we refuse: {fault}"
                for fault in faults
                if not any(re.search(excuse, fault) for excuse in EXCUSED_FAULTS)
            ]
        elif not faults and not OTHER_LOOPBACK.search(content):
            surprises.append(f"{name}: only stock refuses")
    assert not surprises
