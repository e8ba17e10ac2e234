#!/usr/bin/env bash
# python3: once with its own allocator for small objects on top of ours, once with every object
# straight from malloc.
source "$(dirname "$0")/common.sh"
need python3

# The real interpreter: `python3` itself may be a launcher script. The distribution's interpreter
# comes without its tests unless asked for, so take the first one that has them.
python=
for candidate in python3 /usr/bin/python3; do
  "$candidate" -c 'import test.test_json' 2>/dev/null || continue
  python=$("$candidate" -c 'import sys; print(sys.executable)')
  break
done
[[ $python ]] || missing "python3 with its own tests (libpython3-testsuite)"

compare 'python: threads' "$python" "$here/workloads/threads.py"
compare 'python: threads, PYTHONMALLOC=malloc' \
  env PYTHONMALLOC=malloc "$python" "$here/workloads/threads.py"

# How long each test took (a slow one gets a remark), and the process id in the name of the scratch
# directory.
normalise() {
  sed -E -i -e 's/ -- [a-z_]+ passed in [0-9].*$//' -e 's/[0-9]+(\.[0-9]+)? (ms|sec|min)/TIME/g' -e 's/^[0-9]+:[0-9]+:[0-9]+ //' \
    -e 's/load avg: [0-9.]+ //' -e 's/in [0-9.]+s$/in TIME/' \
    -e 's/test_python_[0-9]+/test_python_PID/g' "$1/stdout" "$1/stderr"
}
compare 'python: its own tests, PYTHONMALLOC=malloc' env PYTHONMALLOC=malloc \
  "$python" -m test -r --randseed 1 test_json test_re test_dict test_bytes test_unicode test_gc \
  test_weakref test_zlib
# One test is left out: it requires that nothing imported threading at startup, and a site's own
# packages may. The classes left out spend their time asleep.
compare 'python: its own thread tests' "$python" -m test -r --randseed 1 test_thread test_threading \
  -m ThreadTests -m ThreadJoinOnShutdown -m SubinterpThreadingTests -m CRLockTests \
  -m ConditionTests -m ThreadRunningTests -m LockTests -i test_import_from_another_thread
