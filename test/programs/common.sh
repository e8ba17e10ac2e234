# shellcheck shell=bash
# Sourced by every test in this folder. The environment names the library under test in LIB.
#
# A test calls `compare NAME COMMAND...`. The command runs twice, each time in an empty directory of
# the same name: once as it is and once with LIB preloaded. Its output, its exit code and every file
# it leaves must be the same, byte for byte.
set -euo pipefail

: "${LIB:?LIB must name the library under test}"
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck disable=SC2034 # the tests use it
root=$(cd "$here/../.." && pwd)
work=$(mktemp -d "${TMPDIR:-/tmp}/miheap-programs.XXXXXX")
cleanup() { rm -rf "$work"; }
trap cleanup EXIT
unset LD_PRELOAD
export LC_ALL=C TZ=UTC

fail() {
  echo "FAILED: $*" >&2
  exit 1
}

# Where a person runs the tests, a missing program skips one; where a machine does, it fails.
missing() {
  [[ ${CI:-} == true ]] && fail "missing here, and CI must have it: $*"
  echo "SKIPPED: missing here: $*"
  exit 77
}

need() {
  local program
  for program; do
    command -v "$program" >/dev/null || missing "$program"
  done
}

# Prints what must be put before a command so that it runs on LIB. The dynamic linker then also
# writes down, in one file per process, which library each symbol was found in.
preload() {
  printf '%s\n' env "LD_PRELOAD=$LIB" LD_DEBUG=bindings "LD_DEBUG_OUTPUT=$work/bindings"
}

# Fails unless every malloc, free and so on that the preloaded processes looked up was LIB's.
# Without this the comparison could not fail for a library that is not loaded at all.
# A program that takes the address of free gets that of its own jump to free; such a line is well if
# the jump itself was bound to LIB.
check_bindings() {
  local name=$1 family processes
  family='(malloc|calloc|realloc|free|reallocarray|posix_memalign|aligned_alloc|memalign|valloc'
  family+='|malloc_usable_size)'
  cat "$work"/bindings.* >"$work/all-bindings" 2>/dev/null || true
  grep -E "normal symbol \`$family'" "$work/all-bindings" >"$work/family" || true
  grep -qF "to $LIB [0]: normal symbol \`malloc'" "$work/family" ||
    fail "$name: malloc was never bound to $LIB"
  awk -v lib="$LIB" '
    { from = $4; to = $7; symbol = $(NF - ($NF ~ /^\[/)) }
    to == lib { jumps[from, symbol] = 1; next }
    { strays[$0] = to SUBSEP symbol }
    END { for (line in strays) if (!(strays[line] in jumps)) print line }
  ' "$work/family" >"$work/strays"
  if [[ -s $work/strays ]]; then
    head -n 5 "$work/strays" >&2
    fail "$name: a function of the malloc family was bound elsewhere"
  fi
  processes=("$work"/bindings.*)
  rm -f "$work"/bindings.*
  echo "  every malloc and free bound to the library in ${#processes[@]} process(es)"
}

# run VARIANT COMMAND...: leaves the files the command made, its output and its exit code in
# $work/VARIANT.
run() {
  local variant=$1 code=0 start=$EPOCHREALTIME
  shift
  mkdir "$work/run"
  (cd "$work/run" && timeout -k 5 150 "$@") </dev/null \
    >"$work/stdout" 2>"$work/stderr" || code=$?
  mv "$work/run" "$work/$variant"
  mv "$work/stdout" "$work/stderr" "$work/$variant/"
  echo "$code" >"$work/$variant/exit-code"
  echo "  $variant: exit code $code after $((${EPOCHREALTIME/[.,]/} / 1000 - ${start/[.,]/} / 1000)) ms"
}

# Replaces what may differ between two correct runs. A test that needs it defines its own.
normalise() { :; }

compare() {
  local name=$1 prefix
  shift
  echo "$name"
  run plain "$@"
  [[ $(<"$work/plain/exit-code") == 0 ]] || {
    tail -n 20 "$work/plain/stdout" "$work/plain/stderr" >&2
    fail "$name: does not even work without the library"
  }
  mapfile -t prefix < <(preload)
  run preloaded "${prefix[@]}" "$@"
  normalise "$work/plain"
  normalise "$work/preloaded"
  diff -r "$work/plain" "$work/preloaded" >"$work/difference" || {
    head -c 4000 "$work/difference" >&2
    fail "$name: the preloaded run differs"
  }
  check_bindings "$name"
  rm -rf "$work/plain" "$work/preloaded"
}
