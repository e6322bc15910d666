"""
Situations for quorum decisions, drawn from a seed: a configuration and what happens to its nodes.

Only what stock starts with is drawn: quorum devices go with none of two_node, last_man_standing,
auto_tie_breaker and allow_downscale; auto_tie_breaker in an odd cluster needs wait_for_all with
last_man_standing.
"""

from dataclasses import dataclass, field
from random import Random

# Different from each other and from vqsim's own timer of 10 ms, so that a timer says whose it is.
WINDOW_MS = 37
DEVICE_TIMEOUT_MS = 60
DEVICE_SYNC_TIMEOUT_MS = 71


@dataclass(slots=True)
class Case:
    """
    One cluster and its story.

    :ivar votes: by nodeid.
    :ivar quorum: directives of the quorum section.
    :ivar device: directives of quorum.device; empty without one.
    :ivar steps: commands of vqsim, or ``wait MS``.
    :ivar partitions: at the start and after each step, the members of each partition.
    """

    seed: int
    votes: dict[int, int]
    quorum: dict[str, str] = field(default_factory=dict)
    device: dict[str, str] = field(default_factory=dict)
    steps: list[str] = field(default_factory=list)
    partitions: list[list[list[int]]] = field(default_factory=list)

    def conf(self, state_dir: str) -> str:
        """Write the configuration."""
        nodes = "".join(
            f"node {{\nring0_addr: 127.0.0.{nodeid}\nnodeid: {nodeid}\nquorum_votes: {votes}\n}}\n"
            for nodeid, votes in self.votes.items()
        )
        device = "".join(f"{key}: {value}\n" for key, value in self.device.items())
        lines = "".join(f"{key}: {value}\n" for key, value in self.quorum.items())
        lines += f"device {{\n{device}}}\n" if device else ""
        return (
            "totem {\nversion: 2\ntransport: udpu\ncluster_name: votes\n}\n"
            f"nodelist {{\n{nodes}}}\n"
            f"quorum {{\nprovider: corosync_votequorum\n{lines}}}\n"
            "logging {\nto_syslog: no\nto_stderr: no\n}\n"
            f"system {{\nstate_dir: {state_dir}\n}}\n"
        )

    def text(self) -> str:
        """Show what a failing test has to show."""
        return (
            f"seed {self.seed}, votes {self.votes}\nquorum {self.quorum}\ndevice {self.device}\n"
            + "\n".join(f"  {step}" for step in self.steps)
        )


def draw_case(seed: int) -> Case:
    """Draw a case; the same seed gives the same one."""
    rng = Random(seed)
    count = rng.choice((1, 2, 2, 2, 3, 3, 4, 4, 4, 5, 5, 6, 6, 7, 8))
    nodeids = sorted(rng.sample(range(1, 31), count))
    rng.shuffle(nodeids)
    equal = rng.random() < 0.7
    case = Case(seed, {n: 1 if equal else rng.choice((0, 1, 1, 1, 2, 3)) for n in nodeids})
    if rng.random() < 0.3:
        _draw_device(rng, case)
    else:
        _draw_rules(rng, case)
    _draw_steps(rng, case)
    return case


def _draw_device(rng: Random, case: Case) -> None:
    total = sum(case.votes.values())
    case.device = {
        "model": "net",
        "timeout": str(DEVICE_TIMEOUT_MS),
        "sync_timeout": str(DEVICE_SYNC_TIMEOUT_MS),
    }
    if any(votes != 1 for votes in case.votes.values()) or rng.random() < 0.6:
        case.device["votes"] = str(rng.randint(0, max(1, total)))
    for key in ("wait_for_all", "expected_votes_tracking"):
        if rng.random() < 0.25:
            case.quorum[key] = rng.choice("01")


def _draw_rules(rng: Random, case: Case) -> None:
    quorum = case.quorum
    total = sum(case.votes.values())
    chances = {
        "two_node": 0.6 if len(case.votes) <= 3 else 0.1,
        "wait_for_all": 0.4,
        "last_man_standing": 0.4,
        "auto_tie_breaker": 0.45,
        "allow_downscale": 0.15,
        "expected_votes_tracking": 0.15,
    }
    for key, chance in chances.items():
        if rng.random() < chance:
            quorum[key] = rng.choice("1110")
    if rng.random() < 0.2:
        quorum["expected_votes"] = str(rng.randint(1, total + 3))
    quorum["last_man_standing_window"] = str(WINDOW_MS)
    if quorum.get("auto_tie_breaker") == "1":
        some = rng.sample(sorted(case.votes), rng.randint(1, len(case.votes)))
        listed = " ".join(map(str, some))
        node = rng.choice(("lowest", "highest", listed, listed, None))
        if node is not None:
            quorum["auto_tie_breaker_node"] = node
        if total % 2 and quorum.get("last_man_standing") == "1":
            quorum["wait_for_all"] = "1"


def _draw_steps(rng: Random, case: Case) -> None:
    """All nodes are in partition 0 at the start."""
    where = dict.fromkeys(case.votes, 0)
    _note(case, where)
    with_device: set[int] = set()
    timed = bool(case.device) or case.quorum.get("last_man_standing") == "1"
    for _ in range(rng.randint(2, 4)):
        step = _draw_step(rng, case, where, with_device)
        case.steps.append(step)
        _note(case, where)
        if timed and rng.random() < (0.8 if "qdevice on" in step else 0.5):
            case.steps.append(f"wait {rng.choice((20, 50, 90))}")
            _note(case, where)


def _draw_step(rng: Random, case: Case, where: dict[int, int], with_device: set[int]) -> str:
    up = sorted(where)
    down = sorted(set(case.votes) - set(where))
    if case.device and up and rng.random() < 0.5:
        chosen = sorted(rng.sample(up, rng.randint(1, len(up))))
        word = "off" if with_device.intersection(chosen) and rng.random() < 0.4 else "on"
        (with_device.update if word == "on" else with_device.difference_update)(chosen)
        return f"qdevice {word} {','.join(map(str, chosen))}"
    kind = rng.random()
    if down and (not up or kind < 0.35):
        nodeid = rng.choice(down)
        where[nodeid] = rng.choice((0, 0, 1))
        with_device.discard(nodeid)
        return f"up {where[nodeid]}:{nodeid}"
    if up and kind < 0.6:
        nodeid = rng.choice(up)
        del where[nodeid]
        return f"down {nodeid}"
    used = sorted(set(where.values()))
    if len(used) > 1 and kind < 0.8:
        first, second = rng.sample(used, 2)
        for nodeid in up:
            where[nodeid] = first if where[nodeid] == second else where[nodeid]
        return f"join {first} {second}"
    target = rng.choice((0, 1, 2))
    chosen = sorted(rng.sample(up, rng.randint(1, max(1, len(up) // 2))))
    where.update(dict.fromkeys(chosen, target))
    return f"move {target}:{','.join(map(str, chosen))}"


def _note(case: Case, where: dict[int, int]) -> None:
    parts = (sorted(n for n in where if where[n] == p) for p in sorted(set(where.values())))
    case.partitions.append(list(parts))
