#!/bin/sh
# venv.sh DIRECTORY REQUIREMENT: make the environment if there is none, and install into it.
set -eu
venv=$1
requirement=$2
if ! "$venv/bin/python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    python=$(sh "$(dirname "$0")/python.sh")
    echo "making $venv with $("$python" --version) ($python)"
    "$python" -m venv --clear "$venv"
fi
echo "installing $requirement into $venv"
# twistd finds plugins of an editable install only when the project's directory is on the path.
"$venv/bin/python" -m pip install --disable-pip-version-check --editable "$requirement" \
    --config-settings editable_mode=compat
"$venv/bin/python" -c 'from corosync_tw.kernels import choice; print("kernels:", choice.description())'
