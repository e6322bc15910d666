"""Say something to a process group, and hear what everybody says there, in one order."""

import sys

from twisted.internet.defer import Deferred
from twisted.internet.task import react

from corosync_tw.client.node import connect


async def main(reactor, socket, group, *words):
    node = await connect(reactor, socket)
    mine = (node.nodeid, node.pid)
    heard_all = Deferred()
    left_to_hear = len(words)

    def deliver(messages):
        nonlocal left_to_hear
        for message in messages:
            print(f"node {message.nodeid}: {message.data.decode()}")
            left_to_hear -= (message.nodeid, message.pid) == mine
        if not left_to_hear and not heard_all.called:
            heard_all.callback(None)

    def change(members, left, joined):
        print("members:", " ".join(f"{member.nodeid}:{member.pid}" for member in members))

    cpg = node.cpg()
    await cpg.join(group.encode(), deliver, change)
    await cpg.mcast_many(word.encode() for word in words)
    await heard_all
    await cpg.leave()
    await node.disconnect()


if __name__ == "__main__":
    react(lambda reactor: Deferred.fromCoroutine(main(reactor, *sys.argv[1:])))
