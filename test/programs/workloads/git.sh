#!/usr/bin/env bash
# git.sh REPOSITORY: clones it and prints everything that is in the clone, before and after a gc.
set -euo pipefail

git clone -q --bare --no-local "$1" copy.git
cd copy.git
git fsck --full --strict --no-progress
git -c pack.threads=2 gc -q --aggressive --prune=now
git fsck --full --no-progress
git cat-file --batch-check --batch-all-objects
git log -p --stat -M -C
git archive HEAD | git hash-object --stdin

# On two threads the packer may pick other deltas each time; on one it may not.
git -c pack.threads=1 repack -q -a -d -f --depth=20
git hash-object objects/pack/*.pack
cd ..
rm -rf copy.git
