#!/bin/sh
# Prints the path of a Chromium for the tests; where there is none, installs Debian's package first, or fails and says so.
# The one without windows draws the same pages with two thirds of the work; who is root gets it where it is missing.
set -eu
find_it() {
    for name in "${LORA_HUB_CHROMIUM:-}" chromium-headless-shell "$@"; do
        [ -n "$name" ] && command -v "$name" && return 0
    done
    return 1
}
others="chromium chromium-browser google-chrome"
find_it && exit 0
if [ "$(id -u)" = 0 ] || ! find_it $others >/dev/null; then
    as_root=""
    [ "$(id -u)" = 0 ] || as_root="sudo"
    if command -v apt-get >/dev/null; then
        $as_root apt-get update -qq >&2 || true
        # A font with Persian letters comes along: without one the page's Persian is boxes.
        install="$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends fonts-noto-core"
        $install chromium-headless-shell >&2 || find_it $others >/dev/null || $install chromium >&2 || true
    fi
fi
find_it $others && exit 0
echo "The tests need Chromium and found none. Install it, or name one: LORA_HUB_CHROMIUM=/path/to/chromium make test" >&2
exit 1
