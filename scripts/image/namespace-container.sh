#!/bin/sh
# The work of a container runtime, as far as unshare(1) and mount(8) can do it: makes a folder the root of these new
# namespaces, and becomes the command, as its user. For buildah, which builds images but does not run them as an engine
# does. Run by `unshare --mount --pid --ipc --uts --fork`. Arguments: root folder, ro or rw, uid, then
# tmpfs:<target>:<options>, bind:<target>:<folder> or bind-ro:<target>:<folder>, then -- and the command.
set -eu
root=$1 writable=$2 uid=$3
shift 3
mount --make-rprivate /
mount --bind "$root" "$root"
while [ "$1" != -- ]; do
  kind=${1%%:*} rest=${1#*:}
  target=$root${rest%%:*} value=${rest#*:}
  shift
  case $kind in
    tmpfs) mount -t tmpfs -o "nosuid,nodev,$value" tmpfs "$target" ;;
    bind) mount --bind "$value" "$target" ;;
    bind-ro) mount --bind "$value" "$target" && mount -o remount,bind,ro "$target" ;;
    *) echo "unknown mount: $kind" >&2 && exit 2 ;;
  esac
done
shift
mount -t proc -o nosuid,nodev,noexec proc "$root/proc"
mount -t tmpfs -o nosuid,mode=0755 tmpfs "$root/dev"
for device in null zero full random urandom; do
  : > "$root/dev/$device"
  mount --bind "/dev/$device" "$root/dev/$device"
done
ln -s /proc/self/fd "$root/dev/fd"
# An engine makes this file too.
printf '127.0.0.1 localhost\n' > "$root/etc/hosts"
[ "$writable" = rw ] || mount -o remount,bind,ro "$root"
cd "$root"
pivot_root . .
umount -l .
if [ "$uid" = 0 ]; then exec "$@"; fi
exec /usr/bin/setpriv --reuid "$uid" --regid "$uid" --clear-groups --no-new-privs --bounding-set=-all --inh-caps=-all "$@"
