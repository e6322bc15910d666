#!/bin/sh
# pythons.sh [PYTHON...]: build sdist and wheel with each Python that is here, install the wheel with all that the tests need,
# and run the tools, the demonstration, the simulator and the unit tests (TESTS) with what was installed. Needs an index for packages.
set -eu
[ $# -gt 0 ] || set -- python3.11 python3.12 python3.13 python3.14
# Of the Pythons that pyenv keeps, those that it was told to use have names; all are to have some.
if command -v pyenv >/dev/null; then
    PYENV_VERSION=$(pyenv versions --bare | grep -E '^3\.[0-9.]+$' | tr '\n' ':')
    export PYENV_VERSION
fi
root=$(cd "$(dirname "$0")/.." && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
tested=''

# Run a command and print the last line of what it says, or more when it fails.
last_line_of() {
    "$@" >"$here/log" 2>&1 || { tail -n 30 "$here/log" >&2; exit 1; }
    tail -n 1 "$here/log"
}

for python in "$@"; do
    version=$("$python" -c 'import venv, sys; print("%d.%d.%d" % sys.version_info[:3])' 2>/dev/null) || continue
    here=$scratch/$version
    mkdir "$here"
    "$python" -m venv "$here/venv"
    bin=$here/venv/bin
    "$bin/pip" install --quiet --disable-pip-version-check build
    last_line_of "$bin/python" -m build --outdir "$here" "$root"
    wheel=$(echo "$here"/*.whl)
    "$bin/pip" install --quiet --disable-pip-version-check "$wheel[test]"
    # The tests read files of the tree, without the package: that is the installed one.
    mkdir "$here/tree"
    (cd "$root" && tar -cf - --exclude=__pycache__ --exclude=_build LICENSE Makefile README.md setup.cfg setup.py pyproject.toml \
        MANIFEST.in bench ci conf docs man newsfragments tests) | tar -xf - -C "$here/tree"
    cd "$here/tree"
    echo "Python $version: $("$bin/corosync-tw" --version)"
    last_line_of "$bin/corosync-tw" features
    last_line_of "$bin/twistd" corosync --version
    # A network of its own, beside a demonstration that may be running.
    mkdir "$here/demo"
    for file in "$here"/venv/share/corosync_tw/conf/demo/*; do
        sed "s/127\.7\.1\./127.7.2${#tested}./" "$file" >"$here/demo/${file##*/}"
    done
    last_line_of "$bin/python" -m corosync_tw.cli.demo --phase-seconds 1 --conf "$here/demo"
    last_line_of "$bin/python" -m corosync_tw.sim --seed 1 --nodes 3
    # Left out are those that look at the package's sources.
    # shellcheck disable=SC2086 # a list of words
    "$bin/python" -m pytest -q -p no:cacheprovider --basetemp "$here/tmp" ${TESTS:-tests/unit} \
        --ignore tests/unit/test_import_rules.py --ignore tests/unit/test_tidy.py \
        --deselect tests/unit/test_bare_system.py::test_nobody_asks_which_system_it_is \
        --deselect tests/unit/kernels/test_twins.py::test_every_kernel_is_three_files
    cd "$root"
    tested="$tested $version"
done
[ -n "$tested" ] || { echo "none of $* is here" >&2; exit 1; }
echo "built, installed and tested with Python$tested"
