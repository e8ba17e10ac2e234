#!/usr/bin/env bash
# git: thousands of mapped and allocated objects, and delta search on two threads.
source "$(dirname "$0")/common.sh"
need git

# Nobody's own configuration, and no clone refused because somebody else owns the files.
export GIT_CONFIG_NOSYSTEM=1 GIT_CONFIG_GLOBAL=$work/gitconfig
git config --global safe.directory '*'
git config --global gc.autoDetach false
git config --global init.defaultBranch main
unset GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE

# The repository may have a short history, so there is also one made up of 400 commits.
git init -q --bare "$work/made-up"
bash "$here/workloads/history.sh" | git -C "$work/made-up" fast-import --quiet
sources=("$work/made-up")
if git -C "$root" rev-parse --verify --quiet HEAD >/dev/null; then
  sources+=("$root")
else
  echo "this tree is not a git repository: only the made-up history is tested"
fi

compare 'git: fast-import' bash -c "
  set -e
  git init -q --bare .
  bash '$here/workloads/history.sh' | git fast-import --quiet
  git rev-parse main
  git fsck --full --strict --no-progress"
for source in "${sources[@]}"; do
  compare "git: clone, fsck, gc and log of $(basename "$source")" \
    bash "$here/workloads/git.sh" "$source"
done
