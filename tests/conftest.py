"""Tests that are about a feature of the system are not chosen where it was taken away."""

from corosync_tw import features


def pytest_collection_modifyitems(config, items):
    """``pytest.mark.needs("gso")``: see COROSYNC_TW_WITHOUT, which ``make test-features`` sets."""
    lacking = [
        item
        for item in items
        if any(features.is_off(name) for mark in item.iter_markers("needs") for name in mark.args)
    ]
    if lacking:
        config.hook.pytest_deselected(items=lacking)
        items[:] = [item for item in items if item not in lacking]
