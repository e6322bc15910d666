#!/bin/sh
# Print the first Python that is new enough and can make virtual environments.
for candidate in python3 python3.13 python3.12 python3.11 /usr/bin/python3; do
    if "$candidate" -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
        command -v "$candidate"
        exit 0
    fi
done
echo "corosync_tw needs Python 3.11 or newer with venv; on Debian: apt-get install python3-venv" >&2
exit 1
