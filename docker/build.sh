#!/bin/sh
# Builds the image, with Docker where its engine answers and with buildah elsewhere.
#
#   docker/build.sh [NAME]                 web app and program are built inside: some minutes
#   BINARY=FILE docker/build.sh [NAME]     with a static binary that is there already: a second
#
# NODE_IMAGE and RUST_IMAGE name other base images. NAME is headwater without one.
set -eu
[ -z "${BINARY:-}" ] || BINARY=$(realpath "$BINARY")
cd "$(dirname "$0")/.."
name=${1:-headwater}

set -- -f docker/Dockerfile -t "$name"
[ -z "${NODE_IMAGE:-}" ] || set -- "$@" --build-arg "NODE_IMAGE=$NODE_IMAGE"
[ -z "${RUST_IMAGE:-}" ] || set -- "$@" --build-arg "RUST_IMAGE=$RUST_IMAGE"
context=.
if [ -n "${BINARY:-}" ]; then
  context=$(mktemp -d)
  trap 'rm -rf "$context"' EXIT
  mkdir "$context/data"
  install -m 755 "$BINARY" "$context/headwater"
  set -- "$@" --target prebuilt
fi

if docker version >/dev/null 2>&1; then
  docker build "$@" "$context"
elif command -v buildah >/dev/null; then
  # Without this format the health check is lost.
  buildah bud --isolation chroot --format docker "$@" "$context"
else
  echo "docker/build.sh: no Docker engine answers here and there is no buildah; start the one, or install the other (Debian: apt install buildah)" >&2
  exit 1
fi
