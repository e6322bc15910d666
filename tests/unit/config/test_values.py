"""Kinds of values: as strict as stock, no stricter."""

import pytest

from corosync_tw.config import values


@pytest.mark.parametrize(
    ("text", "value"), [("0", 0), ("+7", 7), ("007", 7), ("-0", 0), ("\v255", 255)]
)
def test_integer(text, value):
    assert values.UINT8.read(text) == value


@pytest.mark.parametrize("text", ["", "-1", "256", "0x1", "1 ", "1.0", "1_0", "\u0661", "9" * 5000])
def test_not_an_integer(text):
    with pytest.raises(ValueError, match=r"expected to be integer in range \(0..255\)"):
        values.UINT8.read(text)


def test_flags_that_stock_reads_strictly_or_not():
    assert values.YES_NO.read("yes") is True
    assert values.SWITCH.read("off") is False
    with pytest.raises(ValueError, match="should be yes or no") as caught:
        values.YES_NO.read("on")
    assert not isinstance(caught.value, values.Misspelt)
    with pytest.raises(values.Misspelt):
        values.YES_NO_LENIENT.read("on")
    with pytest.raises(values.Misspelt):
        values.lenient(values.UINT8).read("x")


@pytest.mark.parametrize(
    ("text", "value"),
    [("0", 0), ("63", 63), ("0x2e", 46), ("056", 46), ("ef", 46), ("cs7", 56), ("af43", 38)],
)
def test_dscp(text, value):
    assert values.DSCP.read(text) == value


@pytest.mark.parametrize("text", ["64", "-1", "af44", "EF", "", "089"])
def test_not_a_dscp(text):
    with pytest.raises(ValueError, match=r"0\.\.63"):
        values.DSCP.read(text)


def test_tie_breaker_nodes():
    assert values.TIE_BREAKER_NODES.read("highest") == ("highest",)
    assert values.TIE_BREAKER_NODES.read("3  1") == ("3", "1")
    with pytest.raises(values.Misspelt):
        values.TIE_BREAKER_NODES.read("lowest 1")


def test_words_in_any_case():
    assert values.SYSLOG_PRIORITY.read("INFO") == "info"
    with pytest.raises(ValueError, match="unknown"):
        values.SYSLOG_FACILITY.read("LOCAL0")
    assert values.PRIORITY.read("max") == "max"
