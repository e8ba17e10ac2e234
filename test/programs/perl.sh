#!/usr/bin/env bash
# perl: many small strings and hashes, long strings that grow, a regular expression engine.
source "$(dirname "$0")/common.sh"
need perl
export PERL_HASH_SEED=0
compare 'perl' perl "$here/workloads/strings.pl"
