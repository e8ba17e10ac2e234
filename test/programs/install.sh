#!/usr/bin/env bash
# `cmake --install` into an empty directory, then programs built against what is there: by CMake
# package, by pkg-config, and one that knows nothing of miheap until it is preloaded.
source "$(dirname "$0")/common.sh"
need cmake cc nm
: "${BUILD_DIR:?BUILD_DIR must name the build to install from}"

installed=$work/installed
cmake --install "$BUILD_DIR" --prefix "$installed" >"$work/install.log"
libdir=$(dirname "$(find "$installed" -name libmiheap.so)")
for file in "$installed/include/miheap.h" "$libdir"/libmiheap.{so,so.[0-9],a} "$libdir/miheap.o" \
  "$libdir/pkgconfig/miheap.pc" "$libdir/cmake/miheap/miheapConfig.cmake"; do
  [[ -e $file ]] || fail "not installed: $file"
done

# The object that is linked first must not bring names of its own into a program.
comm -13 <(nm -D --defined-only "$libdir/libmiheap.so" | awk '{ print $NF }' | sort -u) \
  <(nm -g --defined-only "$libdir/miheap.o" | awk '{ print $NF }' | sort -u) >"$work/names"
[[ ! -s $work/names ]] || fail "miheap.o defines what libmiheap.so does not export: $(head -n 3 "$work/names")"
if grep -rlF -e "$root" -e "$installed" "$libdir/pkgconfig" "$libdir/cmake"; then
  fail "the files above name a directory of this machine"
fi

echo 'install: find_package'
if ! { cmake -S "$here/consumer" -B "$work/consumer" -DCMAKE_PREFIX_PATH="$installed" &&
  cmake --build "$work/consumer"; } >"$work/log" 2>&1; then
  tail -n 30 "$work/log" >&2
  fail "install: the consumer does not build"
fi
[[ $("$work/consumer/shared") == consumer ]] || fail "install: shared"
[[ $("$work/consumer/static") == consumer ]] || fail "install: static"
[[ $("$work/consumer/cxx") == '1000 1' ]] || fail "install: C++"
ldd "$work/consumer/static" | grep -q miheap && fail "install: static needs the shared library"

if command -v pkg-config >/dev/null; then
  echo 'install: pkg-config'
  export PKG_CONFIG_PATH=$libdir/pkgconfig
  # shellcheck disable=SC2046 # the flags are words
  cc "$here/consumer/main.c" $(pkg-config --cflags --libs miheap) -o "$work/by-pkg-config"
  [[ $(LD_LIBRARY_PATH=$libdir "$work/by-pkg-config") == consumer ]] || fail "install: pkg-config"
  # shellcheck disable=SC2046
  cc "$here/consumer/main.c" $(pkg-config --cflags miheap) "$libdir/libmiheap.a" \
    $(pkg-config --static --libs-only-other --libs-only-l miheap | sed 's/-lmiheap//') \
    -o "$work/by-archive"
  [[ $("$work/by-archive") == consumer ]] || fail "install: archive"
  # Of a program that names nothing of miheap.
  echo 'int main(void) { return 0; }' >"$work/nothing.c"
  # shellcheck disable=SC2046
  cc "$work/nothing.c" -static $(pkg-config --static --libs miheap) -o "$work/nothing"
  nm "$work/nothing" | grep ' mi_heap_page_for$' >"$work/log" || fail "install: pkg-config --static leaves malloc as it was"
elif [[ ${CI:-} == true ]]; then
  missing pkg-config
fi

echo 'install: miheap.o'
cc "$libdir/miheap.o" -I"$installed/include" "$here/consumer/main.c" -o "$work/by-object"
[[ $("$work/by-object") == consumer ]] || fail "install: object"

LIB=$libdir/libmiheap.so
# shellcheck disable=SC2016 # for the inner shell
compare 'install: preload' bash -c 'x=$(seq 1 1000); echo "${#x}"'
