#!/usr/bin/env bash
# xz and zstd on two threads: large blocks that come and go, freed by other threads.
source "$(dirname "$0")/common.sh"
need xz zstd tar

# Thirty-two megabytes of real code: the shared libraries of this machine.
{ find -L /usr/lib /lib -maxdepth 2 -name '*.so*' -type f -size +200k -print0 2>/dev/null | sort -z |
  xargs -0 cat 2>/dev/null | head -c 32M >"$work/input"; } 2>/dev/null || true
[[ $(stat -c %s "$work/input") -gt 4000000 ]] || missing "shared libraries to compress"

# Both cut the input in the same pieces whatever the threads do, so the bytes are the same each time.
compare 'zstd: round trip' bash -c "
  set -e
  zstd -q -T2 -9 '$work/input' -o packed.zst
  zstd -q -d -T2 packed.zst -o unpacked
  cmp unpacked '$work/input'
  rm unpacked"
compare 'xz: round trip' bash -c "
  set -e
  xz -T2 -2 --block-size=4MiB -c '$work/input' >packed.xz
  xz -d -T2 -c packed.xz >unpacked
  cmp unpacked '$work/input'
  rm unpacked"
