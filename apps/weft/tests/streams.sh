#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# streams.sh WEFT MAKE_LLAMA TEXT TOKENIZER: standard streams that are closed or fail. Works in the current folder.
set -eu
program=$1
make_llama=$2
text=$3
tokenizer=$4
rm -rf streams
mkdir streams
cd streams
"$make_llama" model 256

die() {
  echo "$*; messages:" >&2
  cat log >&2
  exit 1
}

# status STATUS COMMAND...: the command ends with it.
status() {
  expected=$1
  shift
  found=0
  "$@" || found=$?
  [ $found -eq "$expected" ] || die "$*: status $expected is expected, found $found"
}

# same FOLDER EXPECTED: the model in it is the expected one.
same() {
  for name in config.json model.safetensors; do cmp "$2/$name" "$1/$name" || die "$1/$name: messages are in it"; done
}

# Messages that nobody can hear go into no file.
status 0 "$program" convert model heard >out 2>log
status 0 "$program" convert model deaf >out 2>&-
same deaf heard
status 1 "$program" convert model mute >&- 2>log
same mute heard
grep -q 'cannot write to the standard output' log || die "convert: the closed output must be named"
status 1 "$program" convert model both <&- >&- 2>&-
same both heard

set -- train model --text "$text" --batch-size 2 --block-size 16 --steps 2
status 0 "$program" "$@" --output heard_run >out 2>log
status 0 "$program" "$@" --output deaf_run >out 2>&-
same deaf_run heard_run
cmp heard_run/checkpoint.safetensors deaf_run/checkpoint.safetensors || die "train: messages are in the checkpoint"
if grep -v '^{.*}$' deaf_run/metrics.jsonl; then die "train: messages are in metrics.jsonl"; fi

# An input that cannot be read is no text, nor one that ends early.
for input in / closed; do
  for command in "generate model --max-new-tokens 1" "tokenize $tokenizer"; do
    if [ $input = closed ]; then exec <&-; else exec <$input; fi
    # shellcheck disable=SC2086 # a command and its arguments
    status 1 "$program" $command >out 2>log
    [ "$(cat log)" = "weft: cannot read the standard input" ] || die "$command: one line about its input is expected"
    [ ! -s out ] || die "$command: no output is expected"
  done
done
