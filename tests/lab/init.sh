#!/bin/busybox sh
# The first process of the guest: lays what the guest writes over the host's files, runs the job there and keeps its
# exit status. Where a step fails the kernel panics, which ends qemu; the console tells which.
set -e
/bin/busybox --install -s /bin
export PATH=/bin:/sbin
mount -t proc proc /proc
modprobe -a virtio_pci 9pnet_virtio 9p overlay
shared='trans=virtio,version=9p2000.L,msize=512000'
mount -t 9p -o "$shared,ro,cache=loose" host /host
mount -t tmpfs written /written
mkdir /written/upper /written/work
mount -t overlay -o lowerdir=/host,upperdir=/written/upper,workdir=/written/work whole /whole
mount -t 9p -o "$shared" results /results

mount -t proc proc /whole/proc
mount -t sysfs sys /whole/sys
mount -t devtmpfs dev /whole/dev
mkdir -p /whole/dev/pts /whole/dev/shm
mount -t devpts devpts /whole/dev/pts
mount -t tmpfs -o mode=1777 shm /whole/dev/shm
mount -t tmpfs -o mode=755 run /whole/run
path=$(cat /results/machine/path)
mount -o bind /results "/whole$path"

: > /results/machine/started
status=0
chroot /whole /bin/sh "$path/machine/job" > /results/machine/output 2>&1 || status=$?
echo "$status" > /results/machine/exit.part
mv /results/machine/exit.part /results/machine/exit
poweroff -f
