#!/bin/sh
# redis.sh REQUESTS: a server that is filled, overwritten with values of other sizes and read, by a
# client on the C library's malloc.
set -eu
requests=$1
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
redis-server --port 0 --unixsocket "$folder/socket" --save '' --dir "$folder" >"$folder/log" &
server=$!
unset LD_PRELOAD
until [ -S "$folder/socket" ]; do
  kill -0 "$server" || exit 1
  sleep 0.01
done
bench() { redis-benchmark -s "$folder/socket" -q -n "$requests" -P 16 "$@" >/dev/null; }
bench -t set,get -r 100000 -d 100
bench -t set -r 100000 -d 400
bench -t lpush,sadd,hset,zadd,lrange_100 -r 10000
redis-cli -s "$folder/socket" shutdown nosave
wait "$server"
