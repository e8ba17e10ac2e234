#!/usr/bin/env bash
# bash: hundreds of forks, many of a process that has allocated a lot.
source "$(dirname "$0")/common.sh"
compare 'bash: forks' bash "$here/workloads/forks.sh"
