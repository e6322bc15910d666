"""Show links and other nodes, have all nodes read their files again, and veto a shutdown."""

import sys

from twisted.internet.defer import Deferred
from twisted.internet.task import react

from corosync_tw.client.node import connect
from corosync_tw.errors import CsBusy


async def main(reactor, socket):
    node = await connect(reactor, socket)
    cfg = node.cfg()
    for number, address, status in await cfg.links():
        print(f"link {number}: {address} {status}")
    state = await node.quorum().get()
    for nodeid in state.members:
        print(f"node {nodeid}:", *await cfg.node_addresses(nodeid))

    await cfg.reload()
    print("all nodes read their files again")

    # A program that has something to lose is asked first, and may say no.
    await cfg.track(lambda flags: cfg.reply_to_shutdown(yes=False))
    other = await connect(reactor, socket)
    try:
        await other.cfg().try_shutdown()
    except CsBusy:
        print("no shutdown: somebody is busy")
    await other.disconnect()
    await node.disconnect()


if __name__ == "__main__":
    react(lambda reactor: Deferred.fromCoroutine(main(reactor, *sys.argv[1:])))
