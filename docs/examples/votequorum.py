"""Print the votes of all members, and change those of one node for a moment."""

import sys

from twisted.internet.defer import Deferred
from twisted.internet.task import react

from corosync_tw.client.node import connect


async def main(reactor, socket):
    node = await connect(reactor, socket)
    votequorum = node.votequorum()
    state = await node.quorum().get()
    for nodeid in state.members:
        info = await votequorum.getinfo(nodeid)
        votes, expected, needed = info["votes"], info["expected_votes"], info["quorum"]
        print(f"node {nodeid}: {votes} of {expected} votes, {needed} needed")

    heard = Deferred()
    await votequorum.track(lambda quorate, nodes: None, heard.callback)
    await votequorum.set_votes(node.nodeid, 3)
    print("expected votes are", await heard)
    await votequorum.set_votes(node.nodeid, 1)
    await node.disconnect()


if __name__ == "__main__":
    react(lambda reactor: Deferred.fromCoroutine(main(reactor, *sys.argv[1:])))
