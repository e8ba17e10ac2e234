#!/usr/bin/env bash
# g++: the compiler, the assembler and the linker, then the program they made.
source "$(dirname "$0")/common.sh"
need g++
compare 'g++: compile, link and run' bash -c "
  set -e
  g++ -std=c++17 -O2 -c '$here/workloads/templates.cpp' -o templates.o
  g++ templates.o -pthread -o templates
  ./templates"
