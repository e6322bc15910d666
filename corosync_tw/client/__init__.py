"""
Clients of a running node, over Perspective Broker.

A complete program, which joins a group, says one thing and prints what the group says::

    import sys

    from twisted.internet import task
    from twisted.internet.defer import Deferred, inlineCallbacks

    from corosync_tw.client.node import connect


    def show(messages):
        for message in messages:
            print(message.nodeid, message.pid, message.seq, message.data)


    def changed(members, left, joined):
        print("the group is now", members, file=sys.stderr)


    @inlineCallbacks
    def main(reactor):
        node = yield connect(reactor, "/run/corosync_tw.sock")
        cpg = node.cpg()
        yield cpg.join(b"room", on_deliver=show, on_confchg=changed)
        yield cpg.mcast(b"good morning")
        yield node.when_lost()


    task.react(main)
"""
