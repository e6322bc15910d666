"""
Runs in the guest: three nodes whose clock is set while they are one ring, and while they seek one.

Into its working directory go the nodes' logs and recordings, what tools said, and ``seen.json``.
"""

import json
import shutil
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from tests.interop.netbed import wait_until
from tests.interop.nodes import corosync_conf
from tests.lab.forks import Fork, ForkedNode

ADDRESSES = {1: ["127.7.1.1"], 2: ["127.7.1.2"], 3: ["127.7.1.3"]}
HOUR_S = 3600
# The processor is emulated.
TOKEN_MS = 3000
TIMEOUT_S = 90.0
# Timers that follow the wall clock fire at once, or not within this.
QUIET_S = 2.0
NOTICED = "The system's clock was set by"


class Story:
    """:ivar seen: what the tests look at."""

    def __init__(self, results: Path) -> None:
        self.results = results
        self.workdir = Path(tempfile.mkdtemp())
        self.nodes = {nodeid: ForkedNode(nodeid, self.workdir) for nodeid in ADDRESSES}
        for nodeid, node in self.nodes.items():
            interface = f"    interface {{\n        bindnetaddr: {ADDRESSES[nodeid][0]}\n    }}\n"
            text = corosync_conf(
                ADDRESSES,
                node.state_dir,
                run_dir=node.run_dir,
                token_ms=TOKEN_MS,
                totem_extra=interface,
                ipc_type="none",
            )
            node.conf.write_text(text)
        self.seen = {"steps": [], "tools": {}}

    def run(self) -> None:
        for node in self.nodes.values():
            node.start()
        self.wait_ring([1, 2, 3])
        self.set_clock(HOUR_S)
        self.ask("after_forward", {"explain": [moment(), "--json"], "doctor": ["--json"]})
        self.set_clock(-HOUR_S)
        self.nodes[3].sigkill()
        # While the others seek a ring.
        self.set_clock(-HOUR_S, [1, 2])
        self.wait_ring([1, 2])
        self.nodes[3].start()
        self.wait_ring([1, 2, 3], times={1: 2, 2: 2})
        self.ask("after_return", {"explain": ["3", "--json"]})

    def wait_ring(self, members: Sequence[int], *, times: dict[int, int] | None = None) -> None:
        """Wait until each of the members has had this ring, so many times."""
        line = f"Members[{len(members)}]: {' '.join(map(str, members))}"

        def formed() -> bool:
            return all(
                self.nodes[nodeid].log_text().count(line) >= (times or {}).get(nodeid, 1)
                for nodeid in members
            )

        took_s = wait_until(f"ring {members}", formed, TIMEOUT_S)
        say(f"ring of {members} after {took_s:.1f} s")

    def set_clock(self, by_s: int, nodeids: Sequence[int] = (1, 2, 3)) -> None:
        """Set the clock; wait until the nodes have noticed, and a while more."""
        step = {"by_s": by_s, "rings": [self.rings(nodeids)], "before_ns": time.time_ns()}
        time.clock_settime_ns(time.CLOCK_REALTIME, time.time_ns() + by_s * 10**9)
        step["after_ns"] = time.time_ns()
        self.seen["steps"].append(step)
        told = len(self.seen["steps"])
        wait_until(
            "the step in the logs",
            lambda: all(self.nodes[n].log_text().count(NOTICED) == told for n in nodeids),
            TIMEOUT_S,
        )
        time.sleep(QUIET_S)
        step["rings"].append(self.rings(nodeids))
        say(f"clock set by {by_s:+} s")

    def rings(self, nodeids: Sequence[int]) -> list[int]:
        """Count the rings that each node had, or sought."""
        logs = [self.nodes[nodeid].log_text() for nodeid in nodeids]
        return [log.count("Members[") + log.count("forming new") for log in logs]

    def ask(self, when: str, tools: dict[str, list[str]]) -> None:
        """Have tools ask the first node, all at once."""
        socket = ["--socket", str(self.nodes[1].socket)]
        asking = {
            name: Fork.tool([name, *words, *socket], self.results / f"{name}_{when}")
            for name, words in tools.items()
        }
        for name, process in asking.items():
            status = self.seen["tools"][f"{name}_{when}"] = process.wait(TIMEOUT_S)
            say(f"{name} ended with {status}")

    def close(self) -> None:
        """End the nodes, and keep what they left."""
        for nodeid, node in self.nodes.items():
            if node.process is not None:
                node.process.kill()
            shutil.copy(node.log, self.results / f"n{nodeid}.log")
            kept = self.results / f"n{nodeid}"
            kept.mkdir()
            for path in node.state_dir.glob("flight-*.rec"):
                shutil.copy(path, kept)
        (self.results / "seen.json").write_text(json.dumps(self.seen))


def moment() -> str:
    """Write the time as a tool's argument."""
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime())


def say(text: str) -> None:
    print(f"{time.monotonic():6.1f} {text}", flush=True)


def main() -> None:
    story = Story(Path.cwd())
    try:
        story.run()
    finally:
        story.close()


if __name__ == "__main__":
    main()
