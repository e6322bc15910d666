"""Tell twistd about the corosync service."""

from twisted.application.service import ServiceMaker

corosync = ServiceMaker(  # type: ignore[no-untyped-call]
    "corosync_tw cluster engine",
    "corosync_tw.daemon.tap",
    "Join a Corosync cluster and serve its local clients.",
    "corosync",
)
