#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What it costs to compile a program that uses Weft: seconds (user), peak memory and stripped size, beside its peers.
#
#   bench/compile_time.sh                              # on an idle machine; CXX is g++ unless said otherwise
#   RTNEURAL=path/to/RTNeural bench/compile_time.sh    # beside RTNeural (a checkout; needs Eigen)
#
# Needs GNU time (Debian's package time). Only the compiler is timed, the linker is not; each row is the better of two
# runs. libtorch is measured where its headers are (Debian's package libtorch-dev).
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
compiler=${CXX:-g++}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

timer=$(command -v time) || timer=/usr/bin/time
if ! "$timer" -f %U true 2>/dev/null; then
  echo "compile_time.sh: GNU time is needed (Debian's package time)" >&2
  exit 1
fi

# row NAME SOURCE LINKED FLAG...: LINKED are the libraries in one word.
row() {
  name=$1 source=$2 linked=$3
  shift 3
  for run in 1 2; do
    "$timer" -o "$folder/$run" -f "%U %M" "$compiler" -std=c++20 "$@" -c "$source" -o "$folder/program.o" || return
  done
  # shellcheck disable=SC2086 # several libraries
  if "$compiler" "$folder/program.o" -o "$folder/program" -s $linked 2>/dev/null; then
    size=$(wc -c <"$folder/program")
  else
    size=0 # it does not link: its time and memory are still worth a row
  fi
  sort -n "$folder/1" "$folder/2" | awk -v name="$name" -v size="$size" \
    'NR == 1 { printf "%-44s %8.1f %8.0f %8.2f\n", name, $1, $2 / 1024, size / 1048576 }'
}

cat >"$folder/layer.cpp" <<'END'
#include <weft/weft.hpp>

int main() {
  const weft::Linear<16, 32> layer;
  const weft::Tensor<float, weft::Shape<4, 16>> x;
  weft::Inference context;
  return layer(context, x).data()[0] > 0 ? 1 : 0;
}
END
cat >"$folder/torch.cpp" <<'END'
#include <torch/torch.h>

int main() {
  torch::nn::Linear layer(16, 32);
  return layer(torch::zeros({4, 16})).data_ptr<float>()[0] > 0 ? 1 : 0;
}
END
cat >"$folder/rtneural.cpp" <<'END'
#include <fstream>

#include <RTNeural/RTNeural.h>

int main() {
  std::ifstream file("model.json");
  const auto model = RTNeural::json_parser::parseJson<float>(file);
  const float x[16] = {};
  return model->forward(x) > 0 ? 1 : 0;
}
END

printf '%-44s %8s %8s %8s\n' "$compiler" "user s" "MB" "size MB"
weft="-I$root/include -march=native -fopenmp"
# shellcheck disable=SC2086
for level in -O2 -O3; do
  row "README's program: trains, saves, speaks $level" "$root/examples/readme.cpp" -fopenmp "$level" $weft
done
# shellcheck disable=SC2086
row "one layer of Weft, no files -O2" "$folder/layer.cpp" -fopenmp -O2 $weft

torch=/usr/include/torch/csrc/api/include
if [ -e "$torch/torch/torch.h" ]; then
  row "one layer of libtorch -O2" "$folder/torch.cpp" "-ltorch -ltorch_cpu -lc10" -O2 -march=native -isystem "$torch" ||
    echo "libtorch: skipped, it did not compile"
else
  echo "libtorch: skipped, no headers in $torch"
fi
if [ -n "${RTNEURAL:-}" ]; then
  row "RTNeural with its JSON loader -O2" "$folder/rtneural.cpp" "" -O2 -march=native -isystem "$RTNEURAL" \
    -isystem /usr/include/eigen3 -DRTNEURAL_USE_EIGEN=1 -DRTNEURAL_DEFAULT_ALIGNMENT=16 ||
    echo "RTNeural: skipped, it did not compile"
else
  echo "RTNeural: skipped, RTNEURAL does not name a checkout"
fi
