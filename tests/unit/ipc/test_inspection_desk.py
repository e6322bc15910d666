"""Inspections for Perspective Broker clients, over a real stack of one node."""

import pytest
import pytest_twisted

from corosync_tw.client.inspection import packed
from corosync_tw.corotypes import CS_OK, PROCESSOR_COUNT_MAX
from corosync_tw.errors import CsBusy, CsFailedOperation, CsInvalidParam, CsNotExist
from corosync_tw.ipc.pb.inspection import InspectionHub
from corosync_tw.ipc.pb.wire import PIECE_LEN_BYTES_MAX
from corosync_tw.services.inspection.effects import Inspect
from corosync_tw.services.inspection.wire import ARGUMENT_LEN_BYTES_MAX, Topic
from tests.unit.ipc.lone_stack import LoneStack
from tests.unit.ipc.serving import Bed, raises_remote, turns


class Office:
    """
    A hub, clients, and a daemon that answers when it is told to.

    :ivar questions: what the daemon was asked, and has not answered.
    """

    def __init__(self, tmp_path):
        self.node = LoneStack()
        self.hub = InspectionHub(self.node.stack, self.node)
        self.questions = []
        self.node.route(self.hub)
        self.node.route(self)
        self._bed = Bed(tmp_path, self.node.local, [self.hub])
        self.client = self._bed.client

    def effect_handlers(self):
        return {Inspect: self.questions.append}

    def answer(self, data, error=CS_OK):
        question = self.questions.pop()
        about = (question.asker, question.request, question.topic)
        self.node.stack.inspection.answer(*about, error, data)
        self.node.pump()

    async def __aenter__(self):
        await self._bed.__aenter__()
        return self

    async def __aexit__(self, *failure):
        await self._bed.__aexit__(*failure)


async def until(condition):
    for _ in range(500):
        if condition():
            return
        await turns(1)
    raise AssertionError("it does not come")


@pytest_twisted.ensureDeferred
async def test_an_answer_is_fetched_in_pieces_and_then_forgotten(tmp_path):
    async with Office(tmp_path) as office:
        client = await office.client()
        asking = client.inspection().ask(Topic.LOG, "words")
        await until(lambda: office.questions)
        assert (office.questions[0].topic, office.questions[0].argument) == (Topic.LOG, b"words")
        # What zlib cannot make any shorter.
        long = bytes(hash((at, 7)) >> 8 & 0xFF for at in range(2 * PIECE_LEN_BYTES_MAX))
        office.answer(packed(long))
        assert (await asking) == {1: long}
        (desk,) = office.hub.desks.values()
        with pytest.raises(CsNotExist):
            desk.piece(1, 0)


@pytest_twisted.ensureDeferred
async def test_an_error_of_a_node_is_that_node_s_answer(tmp_path):
    async with Office(tmp_path) as office:
        client = await office.client()
        asking = client.inspection().ask(Topic.LOG, nodeids=[1, 9])
        await until(lambda: office.questions)
        office.answer(b"/var/log/x: No such file", CsFailedOperation.code)
        answers = await asking
        assert [type(each) for each in answers.values()] == [CsFailedOperation, CsNotExist]
        assert str(answers[1]) == "/var/log/x: No such file"


@pytest_twisted.ensureDeferred
async def test_a_client_asks_one_question_at_a_time(tmp_path):
    async with Office(tmp_path) as office:
        client = await office.client()
        asking = client.inspection().ask(Topic.LOG)
        await until(lambda: office.questions)
        with raises_remote(CsBusy):
            await client.inspection().ask(Topic.LOG)
        office.answer(packed(b"x"))
        assert await asking == {1: b"x"}
        again = client.inspection().ask(Topic.LOG)
        await until(lambda: office.questions)
        office.answer(packed(b"y"))
        assert await again == {1: b"y"}


@pytest_twisted.ensureDeferred
async def test_a_client_that_is_gone_is_waited_for_by_nobody(tmp_path):
    async with Office(tmp_path) as office:
        client = await office.client()
        asking = client.inspection().ask(Topic.LOG)
        await until(lambda: office.questions)
        asking.addErrback(lambda _: None)
        await client.disconnect()
        await until(lambda: not office.hub.desks)
        assert office.node.stack.inspection.next_deadline() is None
        office.answer(packed(b"late"))
        await turns(5)


BAD = [
    (-1, "", []),
    (1 << 16, "", []),
    ("1", "", []),
    (1, 7, []),
    (1, "", 7),
    (1, "", [-1]),
    (1, "", ["1"]),
    (1, "", list(range(PROCESSOR_COUNT_MAX + 1))),
    (1, "x" * (ARGUMENT_LEN_BYTES_MAX + 1), []),
]


@pytest_twisted.ensureDeferred
async def test_questions_that_are_none_are_refused_and_leave_nothing(tmp_path):
    async with Office(tmp_path) as office:
        client = await office.client()
        call = client.inspection()._caller.call
        for question in BAD:
            with raises_remote(CsInvalidParam):
                await call("inspection_ask", *question)
        for nodeid, offset in ((-1, 0), (1, -1), (1, "0")):
            with raises_remote(CsInvalidParam):
                await call("inspection_piece", nodeid, offset)
        with raises_remote(CsNotExist):
            await call("inspection_piece", 1, 0)
        asking = client.inspection().ask(Topic.LOG)
        await until(lambda: office.questions)
        office.answer(packed(b""))
        assert await asking == {1: b""}
