"""What makes tools' output comparable hides numbers that move and nothing else."""

import pytest

from tests.interop.same_text import key_names, normalised, numbers, without

MOVES = [
    ("Date:             Mon Nov 23 02:08:57 2026", "Date:             Tue Dec  1 12:00:01 2026"),
    ("Ring ID:          1.d", "Ring ID:          1.1f4"),
    ("runtime.services.cpg.5.rx (u64) = 6", "runtime.services.cpg.5.rx (u64) = 60"),
    ("stats.srp.mcast_tx (u64) = 17", "stats.srp.mcast_tx (u64) = 0"),
    (
        "stats.ipcs.service0.27062.0x55e8e4ef8180.requests (u64) = 27",
        "stats.ipcs.service0.1.0x1.requests (u64) = 2",
    ),
    (
        "stats.ipcs.service2.7.0x1.flow_control_count (u64) = 0",
        "stats.ipcs.service2.7.0x1.flow_control_count (u64) = 2",
    ),
    ("\t\t     28586\t         1 (10.77.5.1)", "\t\t        86\t         1 (10.77.5.1)"),
    ("order;28586;1", "order;9;1"),
    (
        "[notice] vm[1] 0x55e38b8c7fc0.28589.corosync-notify is now connected to corosync",
        "[notice] vm[1] 0x1.1.corosync-notify is now connected to corosync",
    ),
    (
        "[debug] Closing ringbuffer: /dev/shm/qb-28575-28589-23-IZ21C2/qb-request-cfg-header",
        "[debug] Closing ringbuffer: /dev/shm/qb-5-9-3-abcdef/qb-request-cfg-header",
    ),
]

DIFFERS = [
    ("Date:             Mon Nov 23 02:08:57 2026", "Date:"),
    ("Ring ID:          1.d", "Ring ID:          2.d"),
    ("Expected votes:   3", "Expected votes:   2"),
    ("runtime.services.cpg.5.rx (u64) = 6", "runtime.services.cpg.5.rx (u32) = 6"),
    ("runtime.services.cpg.5.rx (u64) = 6", "runtime.services.cpg.6.rx (u64) = 6"),
    ("runtime.services.cpg.5.rx (u64) = 6", "runtime.services.cpg.5.rx (u64) = many"),
    ("runtime.services.cpg.service_id (u16) = 2", "runtime.services.cpg.service_id (u16) = 3"),
    ("runtime.config.totem.token (u32) = 1000", "runtime.config.totem.token (u32) = 1001"),
    ("stats.srp.mcast_tx (u64) = 17", ""),
    ("runtime.members.1.status (str) = joined", "runtime.members.1.status (str) = left"),
    (
        "stats.ipcs.service0.7.0x1.procname (str) = a",
        "stats.ipcs.service0.7.0x1.procname (str) = b",
    ),
    (
        "stats.ipcs.service0.7.0x1.requests (u64) = 1",
        "stats.ipcs.service2.7.0x1.requests (u64) = 1",
    ),
    ("\t\t     28586\t         1 (10.77.5.1)", "\t\t     28586\t         2 (10.77.5.1)"),
    ("order;28586;1", "other;28586;1"),
    ("0x1.1.a is now connected to corosync", "0x1.1.a is now disconnected from corosync"),
    (
        "stats.ipcs.service2.7.0x1.flow_control (u32) = 0",
        "stats.ipcs.service2.7.0x1.flow_control (u32) = 2",
    ),
    ("0x1.1.a is now connected to corosync", "0x1.1.b is now connected to corosync"),
]


@pytest.mark.parametrize(("one", "other"), MOVES)
def test_a_number_that_moves_does_not_show(one, other):
    assert normalised(one) == normalised(other)
    assert normalised(f"before\n{one}\nafter") == normalised(f"before\n{other}\nafter")


@pytest.mark.parametrize(("one", "other"), DIFFERS)
def test_a_difference_shows(one, other):
    assert normalised(one) != normalised(other)
    assert normalised(f"before\n{one}\nafter") != normalised(f"before\n{other}\nafter")


def test_a_node_has_a_directory_of_its_own():
    line = "system.state_dir (str) = {}/state"
    one, other = (normalised(line.format(path), path) for path in ("/a/n1", "/b/n1"))
    assert one == other == line.format("<directory>")


def test_lines_that_are_not_wanted_go_whole():
    assert without("a 1\nb 2\na 3\n", lambda line: line.startswith("a")) == "b 2\n"


def test_listings_are_read():
    listing = "a.key (u32) = 7\nb.key (str) = 7 of 9\nc.key (bin)\n"
    assert key_names(listing) == ["a.key", "b.key", "c.key"]
    assert numbers(listing, ["a.key", "b.key", "d.key"]) == {"a.key": 7.0}
