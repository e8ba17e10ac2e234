#!/usr/bin/env bash
# What every process runs lies in the first 64 KiB of the library, behind what the dynamic linker reads there:
# cmake/layout.ld says why.
source "$(dirname "$0")/common.sh"
need cmake nm perl valgrind
LIB=$(readlink -f "$LIB") # as callgrind says it

address_of() {
  local address
  address=$(nm "$LIB" | awk -v name="$1" '$3 == name { print $1 }')
  [[ -n $address ]] || fail "layout: there is no $1"
  echo "$address"
}

# Of what callgrind wrote: the library's functions that ran, each with the place of its last instruction there.
# Sections with names of their own are nobody's to callgrind, and their addresses those in memory; in one of them is
# a function that every process runs.
# shellcheck disable=SC2016 # perl expands these
places='
  BEGIN { ($lib, $known, $size) = (shift, hex shift, -s $ARGV[0]); shift }
  if (/^ob=(.*)/) { $ours = $1 eq $lib; $nobodys = $1 eq "???" }
  elsif (/^fn=(.*)/) { $name = $1 }
  elsif (/^0x(\w+)/) {
    my $place = hex $1;
    $here{$name} = $place if $ours && $place > ($here{$name} // 0);
    $there{$name} = $place if $nobodys && $place > ($there{$name} // 0);
    $base //= $place - $known if $nobodys && $name eq "mi_chunk_map_add";
  }
  END {
    for (keys %there) {
      my $place = $there{$_} - $base;
      $here{$_} = $place if $place > ($here{$_} // -1) && $place < $size;
    }
    printf "%d %s\n", $here{$_}, $_ for keys %here;
  }'

# The functions that the command runs, in $work/places.
run() {
  local name
  LD_PRELOAD=$LIB valgrind --tool=callgrind --dump-instr=yes --compress-strings=no \
    --compress-pos=no --callgrind-out-file="$work/ran" "$@" >"$work/output" 2>&1 || {
    tail -n 20 "$work/output" >&2
    fail "layout: $1 under callgrind"
  }
  perl -n -e "$places" "$LIB" "$(address_of mi_chunk_map_add)" "$LIB" "$work/ran" >"$work/places"
  for name in malloc mi_chunk_map_add; do
    grep -q " $name$" "$work/places" || fail "layout: callgrind did not see that $1 runs $name"
  done
}

# A process that takes long, as on a busy machine, also purges. What it always runs it runs in each of a few tries.
check() {
  local far
  for ((try = 0; try < 5; try++)); do
    run "$@"
    far=$(awk '$1 >= 65536 { print $2 " at " $1 }' "$work/places")
    [[ -z $far ]] && break
  done
  [[ -z $far ]] || fail "layout: $1 runs" "$far"
  echo "$1 runs $(wc -l <"$work/places") functions"
}

check ls -l /
# shellcheck disable=SC2016 # perl's
check perl -e 'my @strings = map { "x" x $_ } 1 .. 200; print scalar @strings'
check cmake --version # C++

# Small variables share pages: no large array lies between them.
first=$(address_of first_block)
while read -r address size type name; do
  if [[ $type == [bB] ]] && ((16#$size > 4096 && 16#$address < 16#$first)); then
    fail "layout: $name is before first_block"
  fi
done < <(nm -S --defined-only "$LIB" | awk 'NF == 4')
echo "layout: ok"
