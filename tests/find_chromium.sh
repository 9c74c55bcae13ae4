#!/bin/sh
# Prints the path of a Chromium for the tests; where there is none, installs Debian's package first, or fails and says so.
set -eu
find_it() {
    for name in "${LORA_HUB_CHROMIUM:-}" chromium chromium-browser google-chrome; do
        [ -n "$name" ] && command -v "$name" && return 0
    done
    return 1
}
find_it && exit 0
if ! command -v apt-get >/dev/null; then
    echo "The tests need Chromium and found none. Install it, or name one: LORA_HUB_CHROMIUM=/path/to/chromium make test" >&2
    exit 1
fi
as_root=""
[ "$(id -u)" = 0 ] || as_root="sudo"
$as_root apt-get update -qq >&2
# A font with Persian letters comes along: without one the page's Persian is boxes.
DEBIAN_FRONTEND=noninteractive $as_root apt-get install -y -qq --no-install-recommends chromium fonts-noto-core >&2
find_it
