#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# interrupt.sh WEFT MAKE_LLAMA TEXT TOKENIZER: Ctrl-C ends an answer, a measurement and a training run where they are. Works in
# the current folder.
set -eu
program=$1
make_llama=$2
text=$3
tokenizer=$4

# A text may be long without a note.
more_positions() {
  sed 's/"max_position_embeddings": 64/"max_position_embeddings": 1000000/' "$1/config.json" >config.json
  mv config.json "$1/config.json"
}

"$make_llama" interrupted 256
more_positions interrupted

die() {
  echo "$*; messages:" >&2
  cat log >&2
  exit 1
}

# stop COMMAND ARGUMENT...: interrupts it once it has said something; it must end with status 130. Reads $input.
input=/dev/null
stop() {
  : >out
  : >log
  "$program" "$@" <"$input" >out 2>log &
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

# step_of FOLDER: that of its checkpoint.
step_of() { grep -aoE '"step\\?":[0-9]+' "$1/checkpoint.safetensors" | cut -d: -f2; }

# What --save-every saves outlives a run that is killed.
rm -rf killed
"$program" train interrupted --text "$text" --batch-size 2 --block-size 16 --steps 1000000 --save-every 5 --output killed >out 2>log &
pid=$!
until [ -s killed/metrics.jsonl ] && [ "$(wc -l <killed/metrics.jsonl)" -gt 20 ]; do
  kill -0 $pid 2>/dev/null || die "train: ended before it was killed"
  sleep 0.01
done
for resume in "" --resume; do # its folder is its own
  status=0
  "$program" train --text "$text" --output killed $resume >out 2>second_log || status=$?
  if [ $status -ne 1 ] || [ "$(cat second_log)" != "weft: another run is writing to killed" ]; then
    die "train $resume beside another: a refusal is expected, found status $status, $(cat second_log)"
  fi
done
kill -KILL $pid
wait $pid || true
step=$(step_of killed)
if [ "${step:-0}" -eq 0 ] || [ $((step % 5)) -ne 0 ]; then die "train: a checkpoint of a fifth step is expected, found step $step"; fi
"$program" generate killed "The" --max-new-tokens 2 >out 2>log || die "generate: the killed run's model must speak"
stop train --text "$text" --output killed --resume

# Killed as soon as there is a checkpoint, twice, a run ends with the metrics of one that never stopped.
rm -rf measured straight
set -- --text long.txt --batch-size 64 --block-size 64 --validation 0.5 --steps 9 --save-every 1
"$program" train interrupted "$@" --output straight >out 2>log || die "train: it must not fail"
resume=
for step in 2 5; do
  "$program" train interrupted "$@" --output measured $resume >out 2>log &
  pid=$!
  until [ -s measured/checkpoint.safetensors ] && [ "$(step_of measured)" -ge $step ]; do
    kill -0 $pid 2>/dev/null || die "train: ended before it was killed"
    sleep 0.01
  done
  kill -KILL $pid
  wait $pid || true
  resume=--resume
done
"$program" train --text long.txt --output measured --resume >out 2>log || die "train --resume: it must go on"
for run in measured straight; do sed 's/,"tokens_per_second".*//' $run/metrics.jsonl >$run.jsonl; done
cmp measured.jsonl straight.jsonl || die "train --resume: the metrics of a run that was not killed are expected"

# A conversation over a pipe ends with its answer, which the most probable tokens never end.
end_of_turn=$(grep -oE '"id":[0-9]+,"content":"<\|eot_id\|>"' "$tokenizer" | grep -oE '[0-9]+' | head -n 1)
"$make_llama" talking 512 "$end_of_turn"
more_positions talking
added=
id=504
for name in begin_of_text start_header_id end_header_id; do
  added+="{\"id\":$id,\"content\":\"<|$name|>\",\"single_word\":false,\"lstrip\":false,\"rstrip\":false,"
  added+="\"normalized\":false,\"special\":true},"
  id=$((id + 1))
done
sed "s/\"added_tokens\":\\[/&$added/" "$tokenizer" >talking/tokenizer.json
printf 'Hello\nAnd you\n' >turns
input=turns
stop chat talking --max-new-tokens 1000000
[ ! -s log ] || die "chat: no message is expected"
tail -c 1 out | od -An -c | grep -q '\\n' || die "chat: the answer must end its line"

# In a terminal the answer ends and the conversation goes on; between answers Ctrl-C ends the program.
script --version 2>/dev/null | grep -q util-linux || exit 0 # others have no such options
rm -f keys
: >seen
mkfifo keys
script --quiet --return --flush --command "'$program' chat talking --max-new-tokens 1000000" seen <keys >/dev/null &
pid=$!
exec 3>keys

# until_seen COMMAND...: waits until the terminal shows something.
until_seen() {
  until "$@"; do
    kill -0 $pid 2>/dev/null || die "chat: the terminal was closed after $(cat -v seen)"
    sleep 0.01
  done
}
prompts() { [ "$(grep -ac '^> ' seen)" -ge "$1" ]; }
grown() { [ "$(wc -c <seen)" -gt "$1" ]; }
for turn in 1 2; do
  until_seen prompts $turn
  printf 'Hello\n' >&3
  until_seen grown $(($(wc -c <seen) + 100))
  printf '\003' >&3
done
until_seen prompts 3
printf '\003' >&3
status=0
wait $pid || status=$?
[ $status -eq 130 ] || die "chat: status 130 is expected in a terminal, found $status"
