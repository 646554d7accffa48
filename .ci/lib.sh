# Shared by the stages of `.ci/run`. Source it; it does nothing by itself.
# shellcheck shell=bash

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
CACHE=${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/dtls-ci

# The manifests of the workspace's crates, relative to the root; projects outside of it are left out.
manifests() {
    git -C "$ROOT" ls-files --cached --others --exclude-standard -- '*/Cargo.toml' | grep -vE '^(fuzz|examples|\.ci|interop/wolfssl)/'
}

# The crates that are published; everything else is test or tooling. One name a line.
publishable() {
    local manifest
    for manifest in $(manifests); do
        grep -q '^publish = false' "$ROOT/$manifest" || sed -n 's/^name = "\(.*\)"/\1/p' "$ROOT/$manifest" | head -1
    done
}

# Every Rust file that belongs to the project, relative to the root.
rust_files() {
    git -C "$ROOT" ls-files --cached --others --exclude-standard -- '*.rs'
}

# Whether a crate still has nothing but its placeholder line.
is_placeholder() {
    [ "$(cat "$ROOT/$1"/src/*.rs 2>/dev/null | grep -vc '^//! Placeholder' || true)" = 0 ]
}

fail() {
    echo "error: $*" >&2
    exit 1
}

# Runs apt-get as root, with or without sudo.
apt_get() {
    if [ "$(id -u)" = 0 ]; then
        DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 "$@"
    else
        sudo -n env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 "$@"
    fi
}

# Refreshes the package lists once a day at most.
apt_update() {
    mkdir -p "$CACHE"
    if [ -z "$(find "$CACHE/apt-updated" -mmin -1440 2>/dev/null)" ]; then
        apt_get update -qq && touch "$CACHE/apt-updated"
    fi
}

# need COMMAND PACKAGE: installs the Debian package if the command is missing; fails loudly if that can't be done.
need() {
    command -v "$1" >/dev/null && return
    echo "installing $2 (for $1)"
    command -v apt-get >/dev/null || fail "$1 is missing and there is no apt-get to install $2 with"
    apt_get install -y -qq --no-install-recommends "$2" >/dev/null ||
        { rm -f "$CACHE/apt-updated"; apt_update && apt_get install -y -qq --no-install-recommends "$2" >/dev/null; } ||
        fail "$1 is missing and $2 could not be installed"
    command -v "$1" >/dev/null || fail "$2 was installed but $1 is still missing"
}
