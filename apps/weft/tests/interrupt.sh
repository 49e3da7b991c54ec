#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# interrupt.sh WEFT MAKE_LLAMA TEXT: Ctrl-C ends an answer and a measurement where they are. Works in the current folder.
set -eu
program=$1
text=$3
"$2" interrupted 256

die() {
  echo "$*; messages:" >&2
  cat log >&2
  exit 1
}

# stop COMMAND ARGUMENT...: interrupts it once it has said something; it must end with status 130.
stop() {
  : >out
  : >log
  "$program" "$@" >out 2>log &
  pid=$!
  until [ -s out ] || [ -s log ]; do
    kill -0 $pid 2>/dev/null || die "$1: ended before it was interrupted"
    sleep 0.01
  done
  kill -INT $pid
  status=0
  wait $pid || status=$?
  [ $status -eq 130 ] || die "$1: status 130 is expected, found $status"
}

stop generate interrupted --ids "1 2" --max-new-tokens 1000000 --seed 1
[ ! -s log ] || die "generate: no message is expected"
tail -c 1 out | od -An -c | grep -q '\\n' || die "generate: the answer must end its line"
grep -qE '^([0-9]+ )+[0-9]+$' out || die "generate: the answer so far is expected"

for _ in 1 2 3 4 5 6 7 8 9 10 11 12; do cat "$text"; done >long.txt
stop evaluate interrupted long.txt --block 64
grep -q 'stopped early' out || die "evaluate: the figures so far are expected"

# A training run is saved, speaks, and goes on to where it would have come without Ctrl-C.
rm -rf run uninterrupted
set -- --text "$text" --batch-size 2 --block-size 16 --steps 3000
"$program" train interrupted "$@" --output uninterrupted >out 2>log
stop train interrupted "$@" --output run
grep -q 'stopped and saved' out || die "train: where it stopped is expected"
"$program" generate run "The" --max-new-tokens 2 >out 2>log || die "generate: the stopped model must speak"
"$program" train --text "$text" --output run --resume >out 2>log || die "train --resume: it must go on"
cmp run/model.safetensors uninterrupted/model.safetensors || die "train --resume: the same weights are expected"
