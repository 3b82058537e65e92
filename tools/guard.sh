#!/bin/sh
# Compiles the guard, src/guard/*.c.
#
#   tools/guard.sh release OUT     static, small; what is installed
#   tools/guard.sh sanitize OUT    with the address and undefined-behaviour sanitizers; what the tests also run
#   tools/guard.sh analyze         gcc's static analyzer over every file; the exit code tells
#
# It is plain sh because an installed package runs it too, and there Node runs no TypeScript.
set -eu
cd "$(dirname "$0")/.."
mode=${1:?release, sanitize or analyze} out=${2:-}

version=$(sed -n 's/^  "version": "\(.*\)",$/\1/p' package.json)
warnings="-Wall -Wextra -Wshadow -Wpointer-arith -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wformat=2 -Werror"
common="-std=gnu11 $warnings -DVERSION=\"$version\""

trap 'rm -f "$out.$$"' EXIT
die() { echo "guard: $*" >&2; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }
works() { echo 'int main(void) { return 0; }' | "$cc" "$@" -x c -o "$out.$$" - 2>/dev/null; }
# Compiles to a temporary name first: the old guard may be running.
compile() { "$@" -o "$out.$$" src/guard/*.c && mv -f "$out.$$" "$out"; }

case $mode in
release)
    # An explicit CC wins (cross compilers); musl gives 50 kB where a static glibc gives 800.
    if [ -n "${CC:-}" ]; then cc=$CC
    elif have musl-gcc; then cc=musl-gcc
    elif have cc; then cc=cc
    else die "no C compiler found; install one, e.g. apt-get install musl-tools, and run npm run build"
    fi
    have "$cc" || die "the compiler CC=$cc was not found"
    small="-Os -s -ffunction-sections -fdata-sections -fno-unwind-tables -fno-asynchronous-unwind-tables"
    # Read-only relocations would round the file up by a page, for 500 bytes that nothing relocates in a static program.
    small="$small -Wl,--gc-sections -Wl,--build-id=none -Wl,-z,noseparate-code -Wl,-z,norelro"
    # Not every compiler has these two.
    works -flto && small="$small -flto"
    how="dynamic, because it has no static libc"
    works -static && small="$small -static" how=static
    # shellcheck disable=SC2086 # the flags are words
    compile "$cc" $common $small
    echo "guard: $cc, $how, $(wc -c <"$out") bytes"
    ;;
sanitize)
    have gcc || die "gcc is needed for the sanitizers; apt-get install gcc"
    # shellcheck disable=SC2086
    compile gcc $common -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover
    ;;
analyze)
    have gcc || die "gcc is needed for its analyzer; apt-get install gcc"
    for file in src/guard/*.c; do
        # shellcheck disable=SC2086
        gcc $common -O1 -fanalyzer -c -o /dev/null "$file"
    done
    ;;
*) die "unknown mode '$mode': release, sanitize or analyze" ;;
esac
