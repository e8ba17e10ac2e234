#!/usr/bin/env bash
# run.sh TOOL ERRORS TEXT PROGRAM: the program's report under the tool must have TEXT, an extended regular
# expression. TOOL: valgrind, whose errors in a run with all sizes of blocks must be as many as ERRORS; or
# address, AddressSanitizer, which is built in and ends the program at the first error, so that there is
# a run for each size. ERRORS 0: the program must succeed.
set -euo pipefail

tool=$1 errors=$2 text=$3 program=$4
report=$(mktemp)
trap 'rm -f "$report"' EXIT

# complain TEXT: shows the report, which lacks it.
complain() {
  echo "in the report there should be: $1"
  cat "$report"
  exit 1
}

# check COMMAND...: it ends as it should, and its report has the text.
check() {
  local status=0
  "$@" >"$report" 2>&1 || status=$?
  if ((errors ? status == 0 : status != 0)) || ! grep -Eq -- "$text" "$report"; then
    echo "$*: exit status $status"
    complain "$text"
  fi
}

if [[ $tool == valgrind ]]; then
  # The library replaces malloc, and valgrind must leave that as it is.
  check valgrind --soname-synonyms=somalloc=nouserintercepts --leak-check=full --num-callers=20 \
    --error-exitcode=99 --errors-for-leak-kinds=definite "$program"
  summary="ERROR SUMMARY: $errors errors"
  grep -q "$summary" "$report" || complain "$summary"
else
  for size in 0 1 2 3 4; do check "$program" "$size"; done
fi
