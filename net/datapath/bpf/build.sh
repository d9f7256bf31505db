#!/bin/sh
# Compile fabric.c into the object that is committed and embedded. The bytes depend on fabric.c, kern.h and the
# compiler's version alone: paths are cut, debug sections stripped (BTF stays: the loader needs the maps' types).
# Usage: build.sh [FOLDER], where the object goes; default: this folder.
# Debian 12 and 13 both have this compiler: apt-get install --no-install-recommends clang-19 llvm-19
set -eu

CLANG=clang-19
STRIP=llvm-strip-19

cd "$(dirname "$0")"
out=${1:-.}
for tool in "$CLANG" "$STRIP"; do
	command -v "$tool" >/dev/null || { echo "build.sh: $tool is missing: apt-get install --no-install-recommends clang-19 llvm-19" >&2; exit 1; }
done

object="$out/fabric.bpfel.o"
set -x
"$CLANG" --target=bpfel -mcpu=v3 -O2 -g -Wall -Wextra -Werror -ffile-prefix-map="$PWD=." -fdebug-compilation-dir=. \
	-nostdinc -c fabric.c -o "$object"
"$STRIP" --strip-debug "$object"
