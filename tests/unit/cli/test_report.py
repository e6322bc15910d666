"""The archive of a report: where it is written, who may read it, what members may put into it."""

import json
import os
import stat
import tarfile
from dataclasses import asdict

import pytest
from twisted.internet import defer
from twisted.python.failure import Failure

from corosync_tw.cli.kept import kept_names
from corosync_tw.cli.report import Archive, fill
from corosync_tw.errors import CsError, CsNotSupported, CsTimeout
from corosync_tw.logsys.flight.keeping import KEPT_MAX
from corosync_tw.services.inspection.wire import Topic
from tests.unit.diagnosis.test_rules import SOUND

KEPT = "flight-2.20261123T120000.000000Z-lost.rec"
LISTS = {1: b"", 2: b"", 3: CsTimeout("silent")}


class Inspection:
    def __init__(self, lists):
        self.lists = lists
        self.asked = []

    def ask(self, topic, argument="", nodeids=()):
        self.asked.append((topic, argument))
        answers = {n: self.answer(topic, argument, n) for n in nodeids or self.lists}
        return defer.succeed(answers)

    def answer(self, topic, argument, nodeid):
        if isinstance(self.lists[nodeid], CsError):
            return self.lists[nodeid]
        if topic is Topic.FACTS:
            return json.dumps(asdict(SOUND) | {"nodeid": nodeid}).encode()
        if argument == "list":
            return self.lists[nodeid]
        return f"{topic.name} {argument}".encode()


class Reactor:
    def getThreadPool(self):
        """Nobody needs one: no port of a missing node is asked."""


class Node:
    nodeid = 1

    def __init__(self, **lists):
        self.asked = Inspection(LISTS | {int(name[1:]): text for name, text in lists.items()})

    def status(self):
        return defer.succeed({})

    def inspection(self):
        return self.asked


def ended(coroutine):
    """Give the result of what waits for nothing."""
    done = defer.ensureDeferred(coroutine)
    assert done.called
    found = []
    done.addBoth(found.append)
    if isinstance(found[0], Failure):
        found[0].raiseException()
    return found[0]


def packed(path, node):
    with Archive(str(path)) as archive:
        assert ended(fill(Reactor(), node, archive)) is None
    with tarfile.open(path) as tar:
        return archive, {each.name: tar.extractfile(each).read() for each in tar}


def test_all_that_members_tell_is_in_it(tmp_path):
    archive, files = packed(tmp_path / "all.tar.gz", Node(n2=KEPT.encode()))
    assert files["all/node2/corosync.conf"] == b"CONFIGURATION "
    assert files[f"all/node2/{KEPT}"] == f"RECORDING {KEPT}".encode()
    assert files["all/node2/flight-2.rec"] == b"RECORDING "
    assert "node3/" not in " ".join(files)
    assert archive.errors == [
        f"node 3: {name}: silent"
        for name in ("facts.json", "corosync.conf", "corosync.log", "statistics.json")
    ]


@pytest.mark.parametrize(
    "name",
    [
        "../../../etc/cron.d/x",
        "/etc/cron.d/x",
        "..",
        "corosync.conf",
        "flight-1.20261123T120000.000000Z-lost.rec",
        "flight-2.20261123T120000.000000Z-../../x.rec",
        "flight-2.20261123T120000.000000Z-lost.rec\0",
        "x" * 5000,
    ],
)
def test_a_member_names_no_file_but_its_recordings(name, tmp_path):
    node = Node(n2=f"{name} {KEPT}".encode())
    _, files = packed(tmp_path / "all.tar.gz", node)
    recordings = {each for each in files if each.endswith(".rec")}
    own = {"all/node1/flight-1.rec", "all/node2/flight-2.rec"}
    assert recordings == {*own, f"all/node2/{KEPT}"}
    assert all(each.startswith("all/") and ".." not in each for each in files)
    assert {argument for _, argument in node.asked.asked} == {"", "list", KEPT}


def test_a_member_has_no_more_recordings_than_one_keeps():
    names = [f"flight-2.20261123T1200{n:02}.000000Z-lost.rec" for n in range(60)]
    inspection = Inspection({2: " ".join(names).encode()})
    assert ended(kept_names(inspection, 2)) == names[-KEPT_MAX:]


def test_a_member_of_another_kind_has_none():
    with pytest.raises(CsNotSupported):
        ended(kept_names(Inspection({2: CsNotSupported("stock")}), 2))


def test_its_owner_alone_may_read_it(tmp_path):
    before = os.umask(0)
    try:
        path = tmp_path / "all.tar.gz"
        packed(path, Node())
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert os.listdir(tmp_path) == ["all.tar.gz"]
    with tarfile.open(path) as tar:
        assert {each.mode for each in tar} == {0o600}
        assert {each.type for each in tar} == {tarfile.REGTYPE}


@pytest.mark.parametrize("there", ["file", "link"])
def test_nothing_that_is_there_is_written_over(there, tmp_path):
    path = tmp_path / "all.tar.gz"
    target = tmp_path / "target"
    if there == "link":
        path.symlink_to(target)
    else:
        path.write_text("mine")
    with pytest.raises(FileExistsError):
        Archive(str(path))
    assert not target.exists()


def test_nor_what_comes_meanwhile(tmp_path):
    path = tmp_path / "all.tar.gz"
    with pytest.raises(FileExistsError), Archive(str(path)):
        path.write_text("mine")
    assert path.read_text() == "mine"
    assert os.listdir(tmp_path) == ["all.tar.gz"]


def test_half_an_archive_is_none(tmp_path):
    with pytest.raises(CsTimeout), Archive(str(tmp_path / "all.tar.gz")):
        raise CsTimeout("gone")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("name", "folder"), [("all.tar.gz", "all"), (".tar.gz", "tar"), ("..", None), ("x", "x")]
)
def test_files_are_in_one_folder(name, folder, tmp_path):
    if folder is None:
        with pytest.raises(FileExistsError):
            Archive(f"{tmp_path}/{name}")
        return
    _, files = packed(tmp_path / name, Node())
    assert {each.partition("/")[0] for each in files} == {folder}
