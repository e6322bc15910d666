"""Tests that are about a feature of the system are not chosen where it was taken away."""

from corosync_tw import features

# Modules that import what a feature is, by their paths' ends.
IMPORTING = {"tests/unit/ipc/test_tls.py": "tls"}


def pytest_ignore_collect(collection_path, config):
    """Leave such a module alone; None lets others decide."""
    path = collection_path.as_posix()
    taken = any(path.endswith(end) for end, name in IMPORTING.items() if features.is_off(name))
    return True if taken else None


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
