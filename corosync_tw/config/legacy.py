"""
What Corosync 1.x and 2.x files say and 3.x no longer hears.

Such files are accepted; each word without effect is named in a warning with what took its place.
Source: corosync.conf(5) of 1.4.10 and 2.4.6.
"""

from typing import Final

# Sections, by dotted path.
SECTIONS: Final = {
    "service": "plug-ins are built in since 2.0",
    "aisexec": "the user of the process is set by the service manager",
    "amf": "the availability management framework left with 2.0",
    "event": "the event service left with 2.0",
    "totem.interface.member": "",
}

# Keys outside of every section.
KEYS: Final = {
    "compatibility": "there is one wire protocol, that of 3.x",
}

# Quorum providers of 1.x and their names in 3.x.
QUORUM_PROVIDERS: Final = {
    "corosync_quorum_ykd": "corosync_ykd",
}
