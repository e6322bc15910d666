"""Tell whether this part of the cluster may go on, and follow so many changes of the ring."""

import sys

from twisted.internet.defer import Deferred
from twisted.internet.task import react

from corosync_tw.client.node import connect


def say(quorate, members):
    print("may go on" if quorate else "must wait", *members, flush=True)


async def main(reactor, socket, changes="0"):
    node = await connect(reactor, socket)
    left_to_hear = int(changes)
    enough = Deferred()

    def follow(state):
        nonlocal left_to_hear
        say(state.quorate, state.members)
        left_to_hear -= 1
        if not left_to_hear:
            enough.callback(None)

    state = await node.quorum().track(follow)
    say(state.quorate, state.members)
    if left_to_hear:
        await enough
    await node.disconnect()


if __name__ == "__main__":
    react(lambda reactor: Deferred.fromCoroutine(main(reactor, *sys.argv[1:])))
