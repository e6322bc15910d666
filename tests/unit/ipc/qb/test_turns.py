"""Whose turn it is, with a clock that the clients themselves move."""

import pytest
from twisted.internet.task import Clock

from corosync_tw.ipc.qb.turns import SERVING_S_MAX, WINDOW_S, Turns


class Customer:
    """Takes its time, and wants so many turns in all."""

    def __init__(self, shop, cost_s=0.0, wants=1):
        self.shop = shop
        self.cost_s = cost_s
        self.wants = wants
        self.had = 0

    def turn(self):
        self.had += 1
        self.shop.order.append(self)
        self.shop.clock.rightNow += self.cost_s
        if self.had < self.wants:
            self.shop.turns.come_back(self)


class Shop:
    def __init__(self):
        self.clock = Clock()
        self.clock.rightNow = 100.0
        self.order = []
        self.done = 0
        self.turns = Turns(self.clock, self._count)

    def _count(self):
        self.done += 1

    def loop(self):
        """One turn of the loop; tell how long it took."""
        began_s = self.clock.seconds()
        due = [call for call in self.clock.getDelayedCalls() if call.getTime() <= began_s]
        for call in due:
            self.clock.calls.remove(call)
            call.func(*call.args)
        return self.clock.seconds() - began_s


@pytest.fixture
def shop():
    return Shop()


def test_who_asks_first_is_served_at_once(shop):
    customers = [Customer(shop, 0.0001) for _ in range(50)]
    for customer in customers:
        shop.turns.serve_now(customer)
    assert shop.order == customers
    assert not shop.clock.calls


def test_many_are_served_in_slices_in_the_order_in_which_they_asked(shop):
    customers = [Customer(shop, 0.001) for _ in range(100)]
    for customer in customers:
        shop.turns.serve_now(customer)
    assert len(shop.order) == 10
    slices_s = []
    while shop.clock.calls:
        slices_s.append(shop.loop())
    assert shop.order == customers
    assert max(slices_s) < SERVING_S_MAX + 0.0011
    assert shop.done == len(slices_s)


def test_time_comes_back_with_the_next_window(shop):
    shop.turns.serve_now(Customer(shop, 1.0))
    late = Customer(shop)
    shop.turns.serve_now(late)
    assert late.had == 1
    busy = Customer(shop, SERVING_S_MAX)
    shop.turns.serve_now(busy)
    waits = Customer(shop)
    shop.turns.serve_now(waits)
    assert waits.had == 0
    shop.clock.rightNow += WINDOW_S
    shop.turns.serve_now(again := Customer(shop))
    assert again.had == 1


def test_a_busy_one_takes_turns_with_the_others(shop):
    busy = Customer(shop, SERVING_S_MAX, wants=5)
    others = [Customer(shop, SERVING_S_MAX) for _ in range(3)]
    shop.turns.serve_now(busy)
    for other in others:
        shop.turns.serve_now(other)
    while shop.clock.calls:
        shop.loop()
    assert shop.order == [busy, busy, *others, busy, busy, busy]


def test_one_that_waits_in_the_row_is_not_served_twice(shop):
    customer = Customer(shop)
    shop.turns.come_back(customer)
    shop.turns.serve_now(customer)
    shop.loop()
    assert customer.had == 1
    assert not shop.clock.calls


def test_the_forgotten_are_not_served(shop):
    first, second = Customer(shop), Customer(shop)
    shop.turns.come_back(first)
    shop.turns.come_back(second)
    shop.turns.forget(first)
    shop.turns.forget(first)
    shop.loop()
    assert shop.order == [second]
    shop.turns.come_back(first)
    shop.turns.stop()
    assert not shop.clock.getDelayedCalls()
    shop.turns.stop()
