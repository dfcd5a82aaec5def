#!/bin/sh
# Run a command in the file system of an image as a container runtime would: own mounts and processes, the root file
# system read-only, and the network of this host.
#   run_image.sh ROOT STATE USER COMMAND…, with the variables of the container in the environment
set -eu
root=$1 state=$2 user=$3
shift 3
mount --make-rprivate /
mount --bind "$root" "$root"
mount --bind "$state" "$root/var/lib/analytics-worker"
mount -t tmpfs tmpfs "$root/tmp"
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
mount -o remount,bind,ro "$root"
exec chroot "$root" setpriv --reuid "${user%:*}" --regid "${user#*:}" --clear-groups --no-new-privs --bounding-set=-all \
    env --chdir /app "$@"
