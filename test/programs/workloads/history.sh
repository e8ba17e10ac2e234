#!/usr/bin/env bash
# Prints a git fast-import stream: 400 commits that edit, add and delete files.
awk 'BEGIN {
  srand(1)
  for (c = 1; c <= 400; c++) {
    message = "Change number " c
    printf "commit refs/heads/main\nmark :%d\n", c
    printf "committer A <a@example.org> %d +0000\ndata %d\n%s\n", 1700000000 + c, length(message), message
    if (c > 1) printf "from :%d\n", c - 1
    for (f = 0; f < 3; f++) {
      file = (c * 7 + f * 13) % 40
      lines[file] += 5
      text = ""
      for (l = 0; l < lines[file] + 200; l++) {
        text = text sprintf("file %d line %d: %d\n", file, l, (l * 7919 + (l % 50 == 0 ? c : 0)) % 10007)
      }
      printf "M 100644 inline dir%d/file%d.txt\ndata %d\n%s\n", file % 5, file, length(text), text
    }
    if (c % 25 == 0) printf "D dir%d/file%d.txt\n", (c / 25) % 5, (c / 25) % 40
  }
}'
