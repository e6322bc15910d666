#!/bin/sh
# pythons.sh [PYTHON...]: build sdist and wheel with each Python that is here, install the wheel with all that the tests need,
# and run the simulator and the unit tests (TESTS) with what was installed. Needs an index for packages.
set -eu
[ $# -gt 0 ] || set -- python3.11 python3.12 python3.13 python3.14
root=$(cd "$(dirname "$0")/.." && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
tested=''
for python in "$@"; do
    version=$("$python" -c 'import venv, sys; print("%d.%d.%d" % sys.version_info[:3])' 2>/dev/null) || continue
    here=$scratch/$version
    mkdir "$here"
    "$python" -m venv "$here/venv"
    bin=$here/venv/bin
    "$bin/pip" install --quiet --disable-pip-version-check build
    "$bin/python" -m build --outdir "$here" "$root" >"$here/log" 2>&1 || { tail -n 30 "$here/log" >&2; exit 1; }
    wheel=$(echo "$here"/*.whl)
    "$bin/pip" install --quiet --disable-pip-version-check "$wheel[test]"
    # The tests read files of the tree, without the package: that is the installed one.
    mkdir "$here/tree"
    (cd "$root" && tar -cf - --exclude=__pycache__ --exclude=_build LICENSE Makefile README.md setup.cfg setup.py pyproject.toml \
        MANIFEST.in bench ci conf docs man newsfragments tests) | tar -xf - -C "$here/tree"
    cd "$here/tree"
    echo "Python $version: $("$bin/corosync-tw" --version)"
    "$bin/python" -m corosync_tw.sim --seed 1 --nodes 3 | tail -n 1
    # Left out are those that look at the package's sources.
    # shellcheck disable=SC2086 # a list of words
    "$bin/python" -m pytest -q -p no:cacheprovider --basetemp "$here/tmp" ${TESTS:-tests/unit} \
        --ignore tests/unit/test_tidy.py --ignore tests/unit/test_import_rules.py \
        --deselect tests/unit/kernels/test_twins.py::test_every_kernel_is_three_files
    cd "$root"
    tested="$tested $version"
done
[ -n "$tested" ] || { echo "none of $* is here" >&2; exit 1; }
echo "built, installed and tested with Python$tested"
