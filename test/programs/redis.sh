#!/usr/bin/env bash
# redis-server with io threads, a background thread that frees, and a fork to save.
#
# Debian links redis-server to libjemalloc.so.2, which exports malloc and free under their plain
# names. A preloaded library comes before it in the search order, so it takes these over; jemalloc
# stays mapped for its own extras (mallctl), which hand out no memory. check_bindings proves it: not
# one function of the malloc family may be bound to libjemalloc or libc.
source "$(dirname "$0")/common.sh"
need redis-server redis-cli redis-benchmark setpriv

socket=$work/redis.sock
pid=
stop() {
  [[ $pid ]] && kill -9 "$pid" 2>/dev/null
  cleanup
}
trap stop EXIT

cli() { redis-cli -s "$socket" "$@"; }

# start PREFIX...: starts a server in $work/data and waits until it answers. The server dies with this
# script, even if a time limit kills it.
start() {
  (cd "$work/data" && exec setpriv --pdeathsig KILL "$@" redis-server --port 0 --unixsocket "$socket" --save '' \
    --io-threads 2 --io-threads-do-reads yes --enable-debug-command local \
    --dbfilename dump.rdb --daemonize no) </dev/null >"$work/server.log" 2>&1 &
  pid=$!
  for _ in {1..100}; do
    [[ $(cli ping 2>/dev/null) == PONG ]] && return
    kill -0 "$pid" 2>/dev/null || break
    sleep 0.1
  done
  tail -n 20 "$work/server.log" >&2
  fail "redis-server does not answer"
}

finish() {
  local code=0
  cli shutdown nosave >/dev/null 2>&1 || true
  wait "$pid" || code=$?
  pid=
  [[ $code == 0 ]] || {
    tail -n 20 "$work/server.log" >&2
    fail "redis-server ended with $code"
  }
}

# session PREFIX...: everything it prints must be the same on every allocator.
session() {
  mkdir "$work/data"
  start "$@"
  # Strings from 1 byte to 200 KB, lists, hashes and sorted sets.
  awk 'BEGIN {
    for (i = 1; i <= 3000; i++) {
      text = text sprintf("%d-", i)
      printf "SET string:%d %s\n", i, substr(text, 1, i % 100 == 0 ? 200000 : i)
      printf "RPUSH list:%d %d %d %d\n", i % 50, i, i * i, i % 7
      printf "HSET hash:%d field%d %s\n", i % 20, i, substr(text, 1, i % 300 + 1)
      printf "ZADD scores %d member%d\n", i * 7919 % 10007, i
      if (i % 3 == 0) printf "DEL string:%d\n", i / 3
      if (i % 5 == 0) printf "APPEND string:%d %s\n", i, substr(text, 1, 50)
    }
  }' | cli >"$work/replies"
  md5sum <"$work/replies"
  {
    printf 'get string:%d\n' {1..3000..37}
    printf 'lrange list:%d 0 -1\n' {0..49}
    printf 'hlen hash:%d\n' {0..19}
  } | cli | md5sum
  cli zrange scores 0 -1 withscores | md5sum
  cli debug digest

  cli bgsave >/dev/null
  for _ in {1..100}; do
    [[ $(cli info persistence) == *rdb_bgsave_in_progress:0* ]] && break
    sleep 0.1
  done
  cli info persistence | tr -d '\r' | grep '^rdb_last_bgsave_status:'
  cli flushall async
  cli dbsize
  finish
  # A second server reads the dump back: the same data, so the same digest.
  start "$@"
  cli debug digest
  cli flushall sync
  redis-benchmark -s "$socket" -q -n 100000 -P 16 -t set,get,lpush,lrange_100,mset \
    >"$work/benchmark" 2>&1 || fail "redis-benchmark ended with $?"
  # The rates differ from run to run; that every test printed one does not.
  tr '\r' '\n' <"$work/benchmark" | sed -nE 's/^([A-Z].*): [0-9.]+ requests per second.*/\1/p'
  redis-benchmark -s "$socket" -q -n 10000 -c 20 -P 4 -d 5000 -r 2000 -t set,get >/dev/null 2>&1 ||
    fail "redis-benchmark ended with $?"
  finish
  rm -rf "$work/data"
}

echo 'redis: load, save, read back, benchmark'
session env >"$work/plain"
grep -q '^LRANGE_100' "$work/plain" || fail "redis-benchmark printed no rates"
mapfile -t prefix < <(preload)
session "${prefix[@]}" >"$work/preloaded"
diff "$work/plain" "$work/preloaded" >&2 || fail "redis: the preloaded server answers differently"
check_bindings redis
