"""
What the virtual machine boots: Debian's kernel, and its modules that tests need, in an initramfs.

The package of the kernel is downloaded and never installed. What was made of it stays in
``build/lab`` and is made anew when the list of modules or the guest's first process changes.
"""

import hashlib
import lzma
import os
import platform
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

HERE: Final = Path(__file__).resolve().parent
CACHE: Final = HERE.parent.parent / "build" / "lab"
INIT: Final = HERE / "init.sh"
# The guest's kernel loads them, and what they need, when something asks for them.
MODULES: Final = (
    *("virtio_pci", "9pnet_virtio", "9p", "overlay"),
    *("veth", "bridge", "dummy", "nf_tables", "nft_numgen", "nft_meta_bridge"),
    *("sch_netem", "sch_tbf"),
    *("rdma_rxe", "rdma_ucm", "ib_uverbs", "crc32_generic"),
)
_DIRECTORIES: Final = ("bin", "sbin", "dev", "proc", "host", "written", "whole", "results")


class LabError(Exception):
    """The host cannot carry the machine; the text says what is missing and how to get it."""


class Kernel(NamedTuple):
    """Files that qemu boots."""

    image: Path
    initramfs: Path


def search_path() -> str:
    """Give where programs are, administrators' among them."""
    return os.environ.get("PATH", "") + ":/usr/local/sbin:/usr/sbin:/sbin"


def require(*programs: str) -> None:
    """:raises LabError: a program is missing."""
    missing = [name for name in programs if shutil.which(name, path=search_path()) is None]
    if missing:
        raise LabError(
            f"missing programs: {' '.join(missing)}; `make deps` installs them (needs root or sudo)"
        )


def prepared() -> Kernel:
    """
    Give the kernel; make it first if there is none, which takes ten seconds.

    :raises LabError: programs or the package cannot be had.
    """
    if platform.machine() != "x86_64":
        raise LabError(f"the lab's kernel is for x86_64, the Python here for {platform.machine()}")
    words = INIT.read_bytes() + " ".join(MODULES).encode()
    made = CACHE / hashlib.sha256(words).hexdigest()[:12]
    if not made.is_dir():
        require("apt-get", "apt-cache", "dpkg-deb", "depmod", "modprobe", "busybox", "cpio")
        CACHE.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=CACHE, prefix="making-") as scratch:
            fresh = _make(Path(scratch))
            # Whoever makes it at the same time makes the same.
            if not made.is_dir():
                fresh.rename(made)
    return Kernel(made / "vmlinuz", made / "initramfs")


def _make(scratch: Path) -> Path:
    package = _download(scratch)
    unpacked, root, fresh = scratch / "package", scratch / "root", scratch / "made"
    _run(["dpkg-deb", "-x", str(package), str(unpacked)])
    version = next((unpacked / "lib" / "modules").iterdir()).name
    _run(["depmod", "-b", str(unpacked), version])
    for directory in _DIRECTORIES:
        (root / directory).mkdir(parents=True)
    for module in _needed(unpacked, version):
        _copy_module(module, root / module.relative_to(unpacked))
    for listing in (unpacked / "lib" / "modules" / version).glob("modules.[bo]*"):
        shutil.copy(listing, root / listing.relative_to(unpacked))
    _run(["depmod", "-b", str(root), version])
    shutil.copy(shutil.which("busybox", path=search_path()) or "", root / "bin" / "busybox")
    (root / "sbin" / "modprobe").symlink_to("/bin/busybox")
    shutil.copy(INIT, root / "init")
    (root / "init").chmod(0o755)
    fresh.mkdir()
    shutil.copy(unpacked / "boot" / f"vmlinuz-{version}", fresh / "vmlinuz")
    names = "\0".join(path.relative_to(root).as_posix() for path in sorted(root.rglob("*")))
    packed = _run(["cpio", "-o", "-0", "-H", "newc", "-R", "0:0", "--quiet"], names.encode(), root)
    (fresh / "initramfs").write_bytes(packed)
    return fresh


def _download(directory: Path) -> Path:
    """Fetch the newest kernel; a machine without lists of packages gets them first."""
    try:
        _fetch(directory)
    except LabError:
        if os.geteuid() != 0:
            raise
        _run(["apt-get", "update"])
        _fetch(directory)
    return next(directory.glob("linux-image-*.deb"))


def _fetch(directory: Path) -> None:
    told = _run(["apt-cache", "depends", "--important", "linux-image-amd64"]).decode()
    names = [line.split()[-1] for line in told.splitlines() if " linux-image-" in line]
    if not names:
        raise LabError("apt knows no linux-image-amd64: the lab's kernel is Debian's")
    _run(["apt-get", "download", names[0]], cwd=directory)


def _needed(unpacked: Path, version: str) -> Iterator[Path]:
    """Give the files of the modules and of what they need."""
    command = ["modprobe", "-d", str(unpacked), "-S", version, "--show-depends"]
    for name in MODULES:
        for line in _run([*command, name]).decode().splitlines():
            kind, _, rest = line.partition(" ")
            if kind == "insmod":
                yield Path(rest.split()[0])


def _copy_module(source: Path, target: Path) -> None:
    """Copy a module; the guest's loader takes none that is compressed."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.suffix == ".xz":
        target.with_suffix("").write_bytes(lzma.decompress(source.read_bytes()))
    else:
        shutil.copy(source, target)


def _run(command: Sequence[str], text: bytes | None = None, cwd: Path | None = None) -> bytes:
    environment = {**os.environ, "PATH": search_path(), "LC_ALL": "C"}
    outcome = subprocess.run(
        command, input=text, cwd=cwd, env=environment, capture_output=True, check=False
    )
    if outcome.returncode:
        said = (outcome.stderr or outcome.stdout).decode(errors="replace").strip()
        raise LabError(f"{' '.join(command)} ended with {outcome.returncode}: {said}")
    return outcome.stdout
