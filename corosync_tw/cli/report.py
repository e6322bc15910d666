"""``corosync-tw report``: what all nodes know, in one archive for whoever looks into a problem."""

import io
import os
import tarfile
import tempfile
import time
from argparse import ArgumentParser, Namespace
from collections.abc import AsyncIterator
from typing import Any, Final, Self

from corosync_tw.cli.doctor import as_text
from corosync_tw.cli.examining import examine
from corosync_tw.cli.kept import kept_names
from corosync_tw.cli.reaching import add_options, reach
from corosync_tw.cli.running import complain, progress, run
from corosync_tw.client.node import Node
from corosync_tw.diagnosis.rules import diagnose
from corosync_tw.errors import CsError, CsNotSupported
from corosync_tw.services.inspection.wire import Topic

_FILES: Final = {
    Topic.FACTS: "facts.json",
    Topic.CONFIGURATION: "corosync.conf",
    Topic.LOG: "corosync.log",
    Topic.STATISTICS: "statistics.json",
}
_FOLDER: Final = "report"
_MODE: Final = 0o600
_EXPLANATION: Final = """\
doctor.txt          what corosync-tw doctor said
nodeN/              of each member that told of itself:
  facts.json        versions, addresses, agreement, counters
  corosync.conf     its configuration file, secrets removed
  corosync.log      the end of its log file, likewise
  statistics.json   all keys of its maps, but secret ones
  *.rec             its flight recorder: corosync-tw fplay FILE...
errors.txt          who told less, and why
"""


def add_parser(tools: Any) -> None:
    """Describe the tool."""
    parser: ArgumentParser = tools.add_parser(
        "report", help="pack what all nodes know into one archive", description=__doc__
    )
    parser.add_argument(
        "-o", "--output", metavar="FILE", help="name of the archive; must not exist yet"
    )
    add_options(parser)
    parser.set_defaults(run=main)


def main(args: Namespace) -> None:
    """
    Run the tool.

    Raises: SystemExit: 0 when all members told all, 1 when something is missing.
    """

    async def pack(reactor: Any) -> int:
        stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        path = args.output or f"corosync-tw-report-{stamp}.tar.gz"
        node = await reach(reactor, args)
        try:
            with Archive(path) as archive:
                await fill(reactor, node, archive)
        except OSError as fault:
            complain(f"cannot write {path}: {fault.strerror}")
            return 1
        await node.disconnect()
        print(path)
        for line in archive.errors:
            complain(line)
        return int(bool(archive.errors))

    run(pack)


class Archive:
    """
    A compressed archive that appears under its name when it is whole.

    :ivar errors: what is missing in it.
    """

    def __init__(self, path: str) -> None:
        """Raises: FileExistsError."""
        self.errors: list[str] = []
        self._path = path
        self._folder = os.path.basename(path).lstrip(".").partition(".")[0] or _FOLDER
        if os.path.lexists(path):
            raise FileExistsError(17, "there is such a file already, name another with -o", path)

    def __enter__(self) -> Self:
        directory = os.path.dirname(os.path.abspath(self._path))
        descriptor, self._unfinished = tempfile.mkstemp(dir=directory, prefix=".report-")
        self._file = os.fdopen(descriptor, "wb")
        self._tar = tarfile.open(fileobj=self._file, mode="w:gz")
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            self._tar.close()
            self._file.close()
            if kind is None:
                os.link(self._unfinished, self._path)
        finally:
            os.unlink(self._unfinished)

    def add(self, name: str, data: bytes) -> None:
        """Add a file."""
        member = tarfile.TarInfo(f"{self._folder}/{name}")
        member.size, member.mode, member.mtime = len(data), _MODE, int(time.time())
        self._tar.addfile(member, io.BytesIO(data))

    def lack(self, nodeid: int, what: str, fault: CsError) -> None:
        """Note what a node did not tell; of one that knows no questions, that alone."""
        said = f"node {nodeid}: {what}: {str(fault) or fault.name}"
        if isinstance(fault, CsNotSupported):
            said = f"node {nodeid}: {str(fault) or fault.name}"
        if said not in self.errors:
            self.errors.append(said)


async def fill(reactor: Any, node: Node, archive: Archive) -> None:
    """Ask all members for everything, one thing after the other."""
    progress("examining the cluster")
    cluster = await examine(reactor, node)
    archive.add("README.txt", _EXPLANATION.encode())
    archive.add("doctor.txt", (as_text(cluster, diagnose(cluster)) + "\n").encode())
    for topic, name in _FILES.items():
        progress(f"asking all members for {name}")
        answers = await node.inspection().ask(topic)
        for nodeid, answer in answers.items():
            _keep(archive, nodeid, name, answer)
    async for nodeid, name, answer in _recordings(node, list(cluster.facts)):
        _keep(archive, nodeid, name, answer)
    if archive.errors:
        archive.add("errors.txt", ("\n".join(archive.errors) + "\n").encode())


async def _recordings(
    node: Node, nodeids: list[int]
) -> AsyncIterator[tuple[int, str, bytes | CsError]]:
    """Give the files of the flight recorders, node by node: the live one, and the latest kept."""
    inspection = node.inspection()
    for nodeid in nodeids:
        progress(f"asking node {nodeid} for its flight recorder")
        try:
            kept = await kept_names(inspection, nodeid)
        except CsError as fault:
            yield nodeid, "list of recordings", fault
            kept = []
        for name in ("", *kept):
            answer = (await inspection.ask(Topic.RECORDING, name, [nodeid]))[nodeid]
            yield nodeid, name or f"flight-{nodeid}.rec", answer


def _keep(archive: Archive, nodeid: int, name: str, answer: bytes | CsError) -> None:
    if isinstance(answer, CsError):
        archive.lack(nodeid, name, answer)
    else:
        archive.add(f"node{nodeid}/{name}", answer)
