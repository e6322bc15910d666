#!/bin/sh
# Install what the tests need and this machine lacks: the stock peers, a compiler, and tools for name spaces.
set -eu
export PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin"
wanted=''

need() { # need PACKAGE COMMAND...: the package is wanted when the command fails
    package=$1
    shift
    "$@" >/dev/null 2>&1 || wanted="$wanted $package"
}

need corosync command -v corosync
for library in cpg cmap cfg quorum votequorum sam; do
    need "lib$library-dev" test -e "/usr/include/corosync/$library.h"
done
need libqb-dev test -e /usr/include/qb/qbipcc.h
need libqb-tools command -v qb-blackbox
need corosync-notifyd command -v corosync-notifyd
need corosync-vqsim command -v corosync-vqsim
need pacemaker command -v pacemakerd
need pacemaker-cli-utils command -v crm_mon
need resource-agents test -e /usr/lib/ocf/lib/heartbeat/ocf-shellfuncs
need gcc command -v gcc
need libc6-dev test -e /usr/include/stdio.h
need iproute2 command -v ip
need nftables command -v nft
need util-linux command -v nsenter
need mandoc command -v mandoc
need aspell command -v aspell
need aspell-en test -e /usr/lib/aspell/en_GB-ize.multi
need tshark command -v tshark
need systemd command -v systemd-analyze
need qemu-system-x86 command -v qemu-system-x86_64
need cpio command -v cpio
need kmod command -v depmod
# A virtual machine begins with a busybox that needs no libraries.
need busybox-static sh -c 'command -v busybox && ! ldd "$(command -v busybox)"'
need python3-venv sh "$(dirname "$0")/python.sh"
need python3-dev sh "$(dirname "$0")/headers.sh"

if [ -z "$wanted" ]; then
    echo "nothing to install: corosync, its libraries, pacemaker, gcc, iproute2, nftables, Python and its headers are here"
    exit 0
fi
echo "the tests need:$wanted"
if ! command -v apt-get >/dev/null; then
    echo "no apt-get here: install the equivalents of these Debian packages and try again" >&2
    exit 1
fi
as_root=''
if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null || { echo "installing needs root or sudo" >&2; exit 1; }
    as_root=sudo
fi

# A freshly installed corosync must not be started; a daemon that was here before is left alone.
policy=/usr/sbin/policy-rc.d
made_policy=''
cleanup() { [ -z "$made_policy" ] || $as_root rm -f "$policy"; }
trap cleanup EXIT
if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' | $as_root tee "$policy" >/dev/null
    $as_root chmod 755 "$policy"
    made_policy=yes
fi

install() {
    # shellcheck disable=SC2086 # a list of words
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends $wanted
}
install || { $as_root apt-get update; install; }
for daemon in corosync corosync-notifyd pacemaker; do
    case " $wanted " in
    *" $daemon "*) [ ! -d /run/systemd/system ] || $as_root systemctl disable --quiet "$daemon" ;;
    esac
done
