#!/usr/bin/env bash
# Arrays and strings that subshells inherit, change and drop.
# shellcheck disable=SC2030,SC2031,SC2016 # that changes stay in the subshell is the point
set -euo pipefail

declare -A squares
for i in {1..5000}; do squares[$i]=$((i * i)); done

sum=0
for i in {1..120}; do
  sum=$((sum + $(printf "%s" "${squares[$i]}")))
done
echo "subshells: $sum"

for i in {1..20}; do
  (
    for j in {1..50}; do squares[$j]="$i:$j:$(printf '%*s' "$j" '')"; done
    unset 'squares[51]'
    echo "${#squares[@]} ${#squares[50]}"
  ) >"part-$i" &
done
wait
cat part-* | sort | uniq -c
echo "untouched: ${squares[50]} ${squares[51]}"

text=
for i in {1..3000}; do text+="line $i of a string that keeps growing"$'\n'; done
while read -r _ number _; do
  ((number % 500)) || echo "$number"
done <<<"$text"
echo "${#text} ${text//[aeiou]/}" | md5sum

sort -n <(seq 2000 -1 1) <(seq 1 2000) | uniq -c | awk '$1 != 2' | wc -l
seq 1 20000 | grep 7 | sed 's/7/seven/g' | tr -d '\n' | wc -c
printf '%s\n' {1..60} | xargs -P 4 -I N sh -c 'test $((N * N)) -ge N' && echo "xargs: all well"
coproc cat
echo "through a coprocess" >&"${COPROC[1]}"
read -r line <&"${COPROC[0]}"
echo "$line"
