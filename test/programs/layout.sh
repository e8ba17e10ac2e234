#!/usr/bin/env bash
# What every process runs lies in the first 64 KiB of the library, behind what the dynamic linker reads there:
# cmake/layout.ld says why.
source "$(dirname "$0")/common.sh"
need nm

every=(malloc free calloc mi_malloc_slow mi_free_slow mi_heap_page_for mi_heap_find_page mi_heap_init
  mi_heap_reclaim mi_page_retire mi_page_extend mi_segment_page_alloc mi_segment_page_free mi_slots_take_new
  mi_units_take mi_purge_due mi_purge_schedule mi_process_attach mi_options_read mi_option_get mi_os_map
  mi_prim_map mi_thread_stats_merge)

address_of() {
  local address
  address=$(nm "$LIB" | awk -v name="$1" '$3 == name { print $1 }')
  [[ -n $address ]] || fail "layout: there is no $1"
  echo "$address"
}

for name in "${every[@]}"; do
  address=$(address_of "$name")
  ((16#$address < 65536)) || fail "layout: $name is at 0x$address"
done
# Small variables share pages: no large array lies between them.
first=$(address_of first_block)
while read -r address size type name; do
  if [[ $type == [bB] ]] && ((16#$size > 4096 && 16#$address < 16#$first)); then
    fail "layout: $name is before first_block"
  fi
done < <(nm -S --defined-only "$LIB" | awk 'NF == 4')
echo "layout: ok"
