"""Who may send when: levels of flow control, and who goes on when there is room again."""

from types import SimpleNamespace

import pytest

from corosync_tw.daemon.clients import HOLD, RESUME_LEVEL, SEND, Clients
from corosync_tw.services.exec_wire import ServiceId
from corosync_tw.services.flow import QueueLevel

CPG, VOTES = ServiceId.CPG, ServiceId.VOTEQUORUM


class Server:
    def __init__(self):
        self.calls = []

    def flush(self):
        self.calls.append("flush")

    def resume(self):
        self.calls.append("resume")

    def set_flow_control(self, level_of):
        self.calls.append(dict(level_of))

    def take(self):
        calls, self.calls = self.calls, []
        return calls


class World:
    def __init__(self):
        self.level = QueueLevel.LOW
        self.stack = SimpleNamespace(
            sync_in_progress=False,
            queue_level=lambda: self.level,
            pg=SimpleNamespace(queue_level=0.0, waiting_msgs=1),
        )
        self.server = Server()
        handlers = [
            SimpleNamespace(service_id=number, effect_handlers=dict) for number in (CPG, VOTES)
        ]
        self.clients = Clients(self.stack, self.server, handlers)

    def turn(self):
        self.clients.turn_ended()
        *calls, last = self.server.take()
        assert last == "flush"
        return calls


@pytest.fixture
def world():
    made = World()
    assert made.turn() == [{CPG: SEND, VOTES: SEND}, "resume"]
    return made


def test_levels_are_set_when_they_change(world):
    assert world.turn() == ["resume"]
    world.level = QueueLevel.CRITICAL
    assert world.turn() == [{CPG: HOLD, VOTES: HOLD}]
    assert world.turn() == []
    world.level = QueueLevel.HIGH
    assert world.turn() == [{CPG: SEND, VOTES: SEND}, "resume"]


def test_votes_may_change_while_services_are_synchronized(world):
    world.stack.sync_in_progress = True
    assert world.turn() == [{CPG: HOLD, VOTES: SEND}]
    world.level = QueueLevel.CRITICAL
    assert world.turn() == [{CPG: HOLD, VOTES: HOLD}]
    world.stack.sync_in_progress = False
    assert world.turn() == []


def test_messages_that_wait_are_offered_when_there_is_much_room(world):
    world.stack.pg.queue_level = 0.69
    assert world.turn() == []
    world.stack.pg.queue_level = RESUME_LEVEL
    assert world.turn() == []
    world.stack.pg.queue_level = RESUME_LEVEL - 0.01
    assert world.turn() == ["resume"]


def test_effects_go_to_all_who_asked_in_order_and_wake_clients_once(world):
    seen = []
    for name in ("first", "second"):
        world.clients.route(int, lambda effect, name=name: seen.append((name, effect)))
    world.clients.route(str, lambda effect: seen.append(("text", effect)))
    world.clients.execute([1, "two", 3.0, 4])
    assert seen == [("first", 1), ("second", 1), ("text", "two"), ("first", 4), ("second", 4)]
    assert world.server.take() == ["flush"]
