"""Clients of libcfg: every request, its refusals, and bytes that no library would send."""

import random
from struct import pack

import pytest

from corosync_tw.errors import (
    CsAccess,
    CsBusy,
    CsInvalidParam,
    CsNameTooLong,
    CsNotExist,
    CsNotSupported,
    CsTryAgain,
)
from corosync_tw.services.cfg.effects import ReloadRequested, ReopenLogs, RingsReenabled
from corosync_tw.services.cfg.lib_wire import CfgRequest, CfgResponse
from corosync_tw.services.effects import FatalError
from tests.unit.services.cfg.lib_client import Served

OK = 1
SENDING = set(CfgRequest) - {
    CfgRequest.GET_NODE_ADDRS,
    CfgRequest.LOCAL_GET,
    CfgRequest.REOPEN_LOG_FILES,
    CfgRequest.NODESTATUSGET,
}


@pytest.fixture
def served():
    return Served()


def number(value):
    return pack("=I4x", value)


def kill(nodeid, reason, length=None):
    return pack("=I4xH256s6x", nodeid, len(reason) if length is None else length, reason)


def logged(served, kind):
    return [effect for effect in served.ring.log[1] if isinstance(effect, kind)]


def test_ring_status(served):
    answer = served.ask(served.client(), CfgRequest.RINGSTATUSGET)
    number, error, body = answer
    assert (number, error, len(body)) == (CfgResponse.RINGSTATUSGET, OK, 10272 - 24)
    assert body[:4] == pack("=I", 1)
    assert body[8:19] == b"0 10.0.0.1\0"
    assert body[2056:2059] == b"OK\0"


def test_an_address_too_long_for_its_field(served):
    served.facts.address = "a" * 126
    number, error, body = served.ask(served.client(), CfgRequest.RINGSTATUSGET)
    assert (number, error) == (CfgResponse.RINGSTATUSGET, CsNameTooLong.code)
    assert body == bytes(10272 - 24)


def test_no_rings_no_re_enabling(served):
    answer = served.ask(served.client(), CfgRequest.RINGREENABLE)
    assert answer == (CfgResponse.RINGREENABLE, CsNotSupported.code, b"")


def test_rings_are_re_enabled_everywhere_and_that_is_answered(served):
    served.facts.rings = True
    client = served.client()
    served.send(client, CfgRequest.RINGREENABLE)
    assert client.responses == []
    served.run()
    assert client.responses == [(CfgResponse.RINGREENABLE, OK, b"")]
    others = [effect for effect in served.ring.log[2] if isinstance(effect, RingsReenabled)]
    assert [effect.conn for effect in others] == [0]


def test_kill_a_member(served):
    answer = served.ask(served.client(), CfgRequest.KILLNODE, kill(2, b"because\0"))
    assert answer == (CfgResponse.KILLNODE, OK, b"")
    assert served.pumps
    served.run()
    (effect,) = (e for e in served.ring.log[2] if isinstance(e, FatalError))
    assert effect.text == "Killed by node 1 : because"


@pytest.mark.parametrize(
    ("body", "error"), [(kill(9, b"x"), CsNotExist), (kill(2, b"x", 257), CsInvalidParam)]
)
def test_who_cannot_be_killed(served, body, error):
    answer = served.ask(served.client(), CfgRequest.KILLNODE, body)
    assert answer == (CfgResponse.KILLNODE, error.code, b"")


def test_shut_down_at_once(served):
    answer = served.ask(served.client(), CfgRequest.TRYSHUTDOWN, number(0))
    assert answer == (CfgResponse.TRYSHUTDOWN, OK, b"")
    served.run()
    (effect,) = logged(served, FatalError)
    assert (effect.text, effect.exit_code) == ("Node 1 was shut down by sysadmin", 0)
    assert effect.leave_first


def test_a_veto(served):
    one, two = served.client(), served.client()
    tracked = (CfgResponse.STATETRACKSTART, OK, b"")
    assert served.ask(two, CfgRequest.TRACKSTART, bytes(8)) == tracked
    assert served.ask(two, CfgRequest.TRACKSTART, bytes(8)) == tracked
    served.send(one, CfgRequest.TRYSHUTDOWN, number(0))
    served.run()
    assert one.responses == []
    assert two.events == [(CfgResponse.TESTSHUTDOWN, OK, number(0))]
    replied = (CfgResponse.REPLYTOSHUTDOWN, OK, b"")
    assert served.ask(two, CfgRequest.REPLYTOSHUTDOWN, number(0)) == replied
    served.run()
    assert one.responses == [(CfgResponse.TRYSHUTDOWN, CsBusy.code, b"")]


def test_no_opinion_in_time(served):
    one, two = served.client(), served.client()
    served.facts.timeout_ms = 1000
    served.ask(two, CfgRequest.TRACKSTART, bytes(8))
    served.send(one, CfgRequest.TRYSHUTDOWN, number(0))
    served.run(500)
    assert one.responses == []
    served.run(700)
    assert one.responses == [(CfgResponse.TRYSHUTDOWN, CsBusy.code, b"")]


def test_a_tracker_that_stops_agrees(served):
    one, two = served.client(), served.client()
    served.ask(two, CfgRequest.TRACKSTART, bytes(8))
    served.send(one, CfgRequest.TRYSHUTDOWN, number(0))
    assert served.ask(two, CfgRequest.TRACKSTOP) == (CfgResponse.STATETRACKSTOP, OK, b"")
    served.run()
    assert one.responses == [(CfgResponse.TRYSHUTDOWN, OK, b"")]
    assert logged(served, FatalError)


def test_node_addresses(served):
    number_, error, body = served.ask(served.client(), CfgRequest.GET_NODE_ADDRS, number(2))
    assert (number_, error) == (CfgResponse.GET_NODE_ADDRS, OK)
    assert body == pack("=II", 2, 1) + bytes([10, 0, 0, 2]).ljust(16, b"\0")
    own = served.ask(served.client(), CfgRequest.GET_NODE_ADDRS, number(0))[2]
    assert own[8:12] == bytes([10, 0, 0, 1])
    unknown = served.ask(served.client(), CfgRequest.GET_NODE_ADDRS, number(9))
    assert unknown == (CfgResponse.GET_NODE_ADDRS, CsNotExist.code, bytes(8))


def test_who_we_are(served):
    answer = served.ask(served.client(), CfgRequest.LOCAL_GET)
    assert answer == (CfgResponse.LOCAL_GET, OK, number(1))


def test_reload_is_answered_when_it_is_done(served):
    client, gone = served.client(), served.client()
    served.send(client, CfgRequest.RELOAD_CONFIG)
    served.send(gone, CfgRequest.RELOAD_CONFIG)
    served.handler.disconnected(gone)
    served.run()
    assert logged(served, ReloadRequested) == [ReloadRequested(1), ReloadRequested(1)]
    assert client.responses == []
    served.stack.cfg.reload_done(CsInvalidParam.code)
    served.stack.cfg.reload_done(OK)
    served.run()
    assert client.responses == [(CfgResponse.RELOAD_CONFIG, CsInvalidParam.code, b"")]
    assert gone.responses == []


def test_a_client_has_one_long_request_under_way(served):
    client, tracker = served.client(), served.client()
    served.ask(tracker, CfgRequest.TRACKSTART, bytes(8))
    served.send(client, CfgRequest.TRYSHUTDOWN, number(0))
    for request, response in (
        (CfgRequest.TRYSHUTDOWN, CfgResponse.TRYSHUTDOWN),
        (CfgRequest.RELOAD_CONFIG, CfgResponse.RELOAD_CONFIG),
    ):
        assert served.ask(client, request, bytes(8)) == (response, CsBusy.code, b"")
    served.ask(tracker, CfgRequest.REPLYTOSHUTDOWN, number(0))
    served.run()
    assert client.responses[2:] == [(CfgResponse.TRYSHUTDOWN, CsBusy.code, b"")]


def test_reopen_log_files(served):
    client = served.client()
    served.send(client, CfgRequest.REOPEN_LOG_FILES, b"")
    assert client.responses == []
    busy = served.ask(client, CfgRequest.RELOAD_CONFIG, bytes(8))
    assert busy == (CfgResponse.RELOAD_CONFIG, CsBusy.code, b"")
    served.run()
    assert logged(served, ReopenLogs) == [ReopenLogs(client.conn)]
    before = len(client.responses)
    served.stack.cfg.reopen_done(client.conn, CsAccess.code)
    served.run()
    assert client.responses[before:] == [(CfgResponse.REOPEN_LOG_FILES, CsAccess.code, b"")]


def test_node_status(served):
    request = pack("=I4xI4x", 2, 1)
    number, error, body = served.ask(served.client(), CfgRequest.NODESTATUSGET, request)
    assert (number, error, len(body)) == (CfgResponse.NODESTATUSGET, OK, 4176)
    assert body[:16] == pack("=II6B2x", 1, 2, 1, 0, 0, 0, 0, 0)
    assert body[16:33] == pack("=3BxI", 1, 1, 0, 1410) + b"10.0.0.2\0"
    assert not any(body[16 + 520 :])


def test_the_status_of_an_unknown_node_is_empty(served):
    request = pack("=I4xI4x", 9, 1)
    number, error, body = served.ask(served.client(), CfgRequest.NODESTATUSGET, request)
    assert (number, error) == (CfgResponse.NODESTATUSGET, OK)
    assert body == pack("=II", 1, 9).ljust(4176, b"\0")


def test_a_node_status_of_another_version(served):
    request = pack("=I4xI4x", 2, 2)
    answer = served.ask(served.client(), CfgRequest.NODESTATUSGET, request)
    assert answer == (CfgResponse.NODESTATUSGET, CsNotSupported.code, bytes(8))


def test_requests_that_send_wait_for_synchronization(served):
    served.ring.partition({1}, {2})
    served.ring.run_until(lambda: served.stack.sync_in_progress)
    client = served.client()
    # The answer about log files waits for the disk.
    for request in set(CfgRequest) - {CfgRequest.REOPEN_LOG_FILES}:
        body = kill(2, b"x") if request is CfgRequest.KILLNODE else pack("=I4xI4x", 2, 1)
        _, error, _ = served.ask(client, request, body)
        assert (error == CsTryAgain.code) is (request in SENDING), request


class TestHostile:
    @pytest.mark.parametrize("request_id", [12, 13, 99, -1, 0x7FFFFFFF])
    def test_unknown_requests(self, served, request_id):
        client = served.client()
        assert served.ask(client, request_id) == (0, CsInvalidParam.code, b"")
        assert client.stats.invalid_request == 1

    @pytest.mark.parametrize(
        "request_id",
        [
            CfgRequest.KILLNODE,
            CfgRequest.TRYSHUTDOWN,
            CfgRequest.REPLYTOSHUTDOWN,
            CfgRequest.GET_NODE_ADDRS,
            CfgRequest.NODESTATUSGET,
            CfgRequest.TRACKSTART,
        ],
    )
    def test_requests_that_are_too_short(self, served, request_id):
        for length in range(8):
            answer = served.ask(served.client(), request_id, bytes(length))
            assert answer == (0, CsInvalidParam.code, b"")

    def test_any_bytes_get_one_answer_at_most(self, served):
        dice = random.Random(7)
        clients = [served.client() for _ in range(4)]
        long_ones = (
            CfgRequest.TRYSHUTDOWN,
            CfgRequest.RELOAD_CONFIG,
            CfgRequest.REOPEN_LOG_FILES,
        )
        for _ in range(3000):
            client = dice.choice(clients)
            before = len(client.responses)
            request = dice.randrange(-1, 14)
            served.send(client, request, dice.randbytes(dice.choice((0, 8, 16, 272, 300))))
            answers = len(client.responses) - before
            assert answers == 1 or (answers == 0 and request in long_ones)
        assert not any(client.closed for client in clients)

    def test_disconnecting_twice_or_unseen(self, served):
        client = served.client()
        served.handler.disconnected(client)
        pumps = served.pumps
        served.handler.disconnected(client)
        assert served.pumps == pumps
