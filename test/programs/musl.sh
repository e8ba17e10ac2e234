#!/usr/bin/env bash
# The core on musl: the archive and the object built with musl-gcc, and the C programs of test/override
# linked with them, statically and not, and preloaded.
source "$(dirname "$0")/common.sh"
need cmake musl-gcc g++

build=$work/musl
if ! { cmake -S "$root" -B "$build" -DCMAKE_C_COMPILER=musl-gcc -DCMAKE_CXX_COMPILER=g++ \
  -DMI_BUILD_TESTS=OFF -DMI_WERROR=ON && cmake --build "$build" -j 2 --target miheap_object; } \
  >"$work/log" 2>&1; then
  tail -n 30 "$work/log" >&2
  fail "musl: the library does not build"
fi
# Not by CMake, which would have g++'s own libraries, and so glibc, linked to it.
musl-gcc -shared -Wl,-soname,libmiheap.so -Wl,-z,nodelete -o "$build/libmiheap.so" \
  "$build/miheap.o"

# program NAME WAY FLAG...: the compiler's flags are those before and after the source file, apart by --.
program() {
  local name=$1 way=$2 first=()
  shift 2
  while [[ $1 != -- ]]; do
    first+=("$1")
    shift
  done
  shift
  musl-gcc "${first[@]}" -D_GNU_SOURCE -fno-builtin -I"$root/test/core" \
    "$root/test/override/$name.c" "$@" -o "$work/$name"
  echo "musl: $name, $way"
  if [[ $way == preloaded ]]; then
    LD_PRELOAD=$build/libmiheap.so "$work/$name" || fail "musl: $name, $way"
  else
    "$work/$name" || fail "musl: $name, $way"
  fi
}

program reach static -- -static "$build/libmiheap.a"
program reach "static, object" "$build/miheap.o" -- -static
program reach archive -- "$build/libmiheap.a"
program reach object "$build/miheap.o" --
program reach shared -- "$build/libmiheap.so" -Wl,-rpath,"$build"
program reach preloaded --
for name in sizes teardown quiet; do
  program "$name" static -- -static "$build/libmiheap.a"
  program "$name" preloaded --
done
program spawn static -- -static "$build/libmiheap.a" # its children would not bear the preloaded library
