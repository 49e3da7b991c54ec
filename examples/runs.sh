#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# runs.sh TRAIN_TEXT COMPARE_VARIANTS FINETUNE_SPARSE_GIN CORPUS: what becomes of runs that are killed, stopped, refused or
# go on. Works in the current folder.
set -eu
program=$1
compare=$2
finetune=$3
corpus=$4
rm -rf straight unheard killed stopped last blocked pictures finetuned unused

die() {
  echo "$*; its messages:" >&2
  cat log >&2
  exit 1
}

# run FOLDER OPTION...: a whole run; its messages are in the file log, what it says in out.
run() {
  folder=$1
  shift
  "$program" --corpus "$corpus" --output "$folder" "$@" >out 2>log
}

# start FOLDER OPTION...: a run in the background that has begun to train.
start() {
  folder=$1
  shift
  : >log # of an earlier run
  "$program" --corpus "$corpus" --output "$folder" "$@" >out 2>log &
  pid=$!
  until_it_says '^GIN-Llama'
}

# until_it_says REGEX: waits for that message of the run in the background.
until_it_says() {
  until grep -q "$1" log; do
    kill -0 $pid || die "$folder: ended before it trained"
    sleep 0.01
  done
}

# stop SIGNAL STATUS: sends it to the run in the background, which must end with that status.
stop() {
  kill "-$1" $pid || die "$folder: ended before it was stopped"
  status=0
  wait $pid || status=$?
  [ $status -eq "$2" ] || die "$folder: SIG$1 must end it with status $2, found $status"
}

# says FILE TEXT
says() {
  grep -qF -- "$2" "$1" || die "$folder: \"$2\" is expected in $1"
}

# one_line TEXT: that is all the messages.
one_line() {
  says log "$1"
  [ "$(wc -l <log)" -eq 1 ] || die "$folder: one line is expected"
}

# same_as_straight FOLDER: weights, optimiser, options, place in the data; and all steps are in the metrics.
same_as_straight() {
  cmp straight/checkpoint.safetensors "$1/checkpoint.safetensors" || die "$1: another result than a straight run's"
  [ "$(grep -c '"loss"' "$1/metrics.jsonl")" -eq 6 ] || die "$1: six steps are expected in metrics.jsonl"
}

run straight --steps 6 --seed 7 || die "a straight run failed"

# What nobody can hear goes into no file.
"$program" --corpus "$corpus" --output unheard --steps 6 --seed 7 >out 2>&- || die "a run without messages failed"
same_as_straight unheard
if grep -v '^{.*}$' unheard/metrics.jsonl; then die "unheard: messages went into metrics.jsonl"; fi

# Killed before its first step: it goes on, with the steps and the seed that it had.
start killed --steps 6 --seed 7
stop KILL 137
run killed --resume || die "a killed run does not go on"
same_as_straight killed

start stopped --steps 6 --seed 7
stop INT 130
says log "stopped and saved"
run stopped --resume || die "a stopped run does not go on"
same_as_straight stopped

# Ctrl-C during the only step ends the program, too; it is not the model that is interrupted.
start last --steps 1
stop INT 130

run straight --resume --steps 8 || die "a run does not go on for longer"
says log "was to have 6 steps and now has 8"
says log "after 8 steps"
run straight --steps 1 || die "a new run failed"
says log "has replaced the one in straight"

# A checkpoint that cannot be replaced is noticed before time is spent, and what there was stays.
mkdir -p blocked/checkpoint.safetensors
echo '{"step":1,"loss":5.5}' >blocked/metrics.jsonl
if run blocked; then die "blocked: a folder in place of the checkpoint was replaced"; fi
one_line "checkpoint.safetensors: Is a directory"
says blocked/metrics.jsonl '"loss":5.5'

if run unused --prompt ""; then die "an empty prompt was taken"; fi
one_line "--prompt: must not be empty"
[ ! -e unused ] || die "a refused run left a folder behind"

# Pictures that cannot be drawn are no reason to fail, and stay out of what the model says.
mkdir -p pictures/loss.png
run pictures --steps 1 || die "a run without pictures failed"
if command -v gnuplot >/dev/null; then says log "not drawn: cannot replace pictures/loss.png"; fi
if grep -qa PNG out; then die "a picture went to the standard output"; fi
PATH=$PWD/unused "$program" --corpus "$corpus" --output pictures --steps 1 >out 2>log || die "without gnuplot: failed"
says log "not drawn, because gnuplot was not found: pictures/loss.png"

# Ctrl-C ends other programs in order, too: here while the base model trains.
folder=finetuned
: >log
"$finetune" --base-corpus "$corpus" --corpus "$corpus" --output finetuned >out 2>log &
pid=$!
until_it_says '^1/1000'
stop INT 130
says log "stopped; metrics are in finetuned/"
[ ! -e finetuned/base ] || die "finetuned: a model that was not finished is there"

# More than the memory that there is.
folder=compare
if (
  ulimit -v 1000000 &&
    OMP_NUM_THREADS=1 "$compare" --corpus "$corpus" --output compared --steps 1 --only GIN --batch-size 60000 >out 2>log
); then
  die "compare: a batch larger than the memory was computed"
fi
says log "memory"
