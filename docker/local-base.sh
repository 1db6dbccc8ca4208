#!/bin/sh
# An image with this machine's own toolchain, for a build where no registry of images can be reached. Debian or Ubuntu, as root.
#
#   docker/local-base.sh [NAME]                                     localhost/headwater-toolchain without a name
#   RUST_IMAGE=NAME NODE_IMAGE=NAME make image
set -eu
name=${1:-localhost/headwater-toolchain}

sysroot=$(rustc --print sysroot)
node=$(command -v node)
npm=$(readlink -f "$(command -v npm)")
modules=${npm%/npm/bin/*}

# What runs a shell, a C compiler, scripts that configure a library, and the certificates; then Rust and Node.js from wherever they are.
# shellcheck disable=SC2046 # one word a path; none of them has a space
set -- bin sbin lib lib64 etc usr/bin usr/sbin usr/lib64 usr/include usr/lib/gcc usr/lib/x86_64-linux-gnu usr/lib/aarch64-linux-gnu \
  $(cd / && ls -d usr/lib/python3* usr/share/python3* usr/share/perl* usr/share/ca-certificates usr/local/share/ca-certificates 2>/dev/null) \
  "${sysroot#/}" "${node#/}" "${modules#/}"
present=
for path; do
  [ -e "/$path" ] || [ -L "/$path" ] && present="$present $path"
done
container=$(buildah from scratch)
trap 'buildah rm "$container" >/dev/null' EXIT
root=$(buildah mount "$container")
# shellcheck disable=SC2086 # one word a path; none of them has a space
tar -C / -c --exclude='*/share/doc' --exclude='etc/hostname' --exclude='etc/hosts' --exclude='etc/resolv.conf' $present | tar -C "$root" -x
mkdir -p "$root/tmp" "$root/root" "$root/proc" "$root/sys" "$root/dev" "$root/var/tmp"
chmod 1777 "$root/tmp" "$root/var/tmp"
buildah umount "$container" >/dev/null
# The certificates of this machine hold for all of them.
certificates=/etc/ssl/certs/ca-certificates.crt
buildah config --env NODE_EXTRA_CA_CERTS=$certificates --env SSL_CERT_FILE=$certificates \
  --env "PATH=$sysroot/bin:$(dirname "$node"):/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" "$container"
buildah commit --quiet "$container" "$name" >/dev/null
echo "$name"
