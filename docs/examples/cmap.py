"""Read the configuration map, store a key in it, and hear of the change."""

import sys

from twisted.internet.defer import Deferred
from twisted.internet.task import react

from corosync_tw.client.node import connect
from corosync_tw.services.cmap.values import TypedValue


async def main(reactor, socket):
    node = await connect(reactor, socket)
    icmap = node.cmap()

    name = await icmap.get("totem.cluster_name")
    print("cluster:", name.value)
    for key, value in (await icmap.items("runtime.members.")).items():
        if key.endswith(".status"):
            print(key, value.value)

    changed = Deferred()
    tracker = await icmap.track("example.", changed.callback)
    await icmap.set("example.greeting", TypedValue.string("hello"))
    change = await changed
    print(change.event.name, change.key, change.new.value)
    await icmap.untrack(tracker)
    await icmap.delete("example.greeting")

    tokens = await node.stats().get("stats.srp.orf_token_rx")
    print("tokens received:", tokens.value)
    await node.disconnect()


if __name__ == "__main__":
    react(lambda reactor: Deferred.fromCoroutine(main(reactor, *sys.argv[1:])))
