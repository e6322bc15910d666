from corosync_tw.net.epoll_reactor import TurnReactor
from corosync_tw.timers.interludes import Interludes, interludes_of


def test_calls_are_made_in_order_each_once():
    interludes, made = Interludes(), []
    first, second = (lambda: made.append(1)), (lambda: made.append(2))
    for call in (first, second, first):
        interludes.add(call)
    interludes()
    assert made == [1, 2]
    interludes.remove(first)
    interludes.remove(first)
    interludes()
    assert made == [1, 2, 2]


def test_a_call_may_remove_itself():
    interludes, made = Interludes(), []

    def once():
        made.append(1)
        interludes.remove(once)

    interludes.add(once)
    interludes()
    interludes()
    assert made == [1]


def test_the_loop_of_the_daemon_has_its_own():
    reactor = TurnReactor()
    assert interludes_of(reactor) is reactor.interludes
    assert interludes_of(object()) is not interludes_of(object())
    reactor._poller.close()
