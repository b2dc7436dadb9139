#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What `make install` puts down is enough to embed the engine: an example compiles against the installed headers and
# library alone, with the flags that pkg-config tells, and runs; and the installed command runs. TAP.
set -u
cd "$(dirname "$0")/.." || exit 1
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
n=0 bad=0
check() { # check NAME COMMAND...
    n=$((n + 1)) name=$1
    shift
    if "$@" >"$dir/log" 2>&1; then echo "ok $n - $name"; else
        echo "not ok $n - $name"
        sed 's/^/# /' "$dir/log"
        bad=1
    fi
}

if nm "$SOSIA_BIN" 2>/dev/null | grep -Eq '__(asan|tsan|gcov)_init'; then
    echo "SKIP install: an instrumented build is not installed"
    exit 0
fi
check "install" cmake --install "$SOSIA_BUILD" --prefix "$dir/usr"
flags() { PKG_CONFIG_PATH=$dir/usr/lib/pkgconfig pkg-config --static "$@" sosia; }
check "headers compile alone as C17" sh -c "printf '#include <sosia/sosia.h>\nint main(void){return 0;}\n' >$dir/a.c &&
    cc -std=c17 -pedantic -Wall -Werror $(flags --cflags) -c $dir/a.c -o $dir/a.o"
check "headers compile alone as C++" sh -c "cp $dir/a.c $dir/a.cpp &&
    c++ -std=c++17 -Wall -Werror $(flags --cflags) -c $dir/a.cpp -o $dir/ap.o"
for example in examples/*.c; do
    name=$(basename "$example" .c)
    check "$name builds" cc -std=c17 "$example" $(flags --cflags --libs) -o "$dir/$name"
    check "$name runs" sh -c "cd $dir && ./$name"
done
check "the command runs" "$dir/usr/bin/sosia" --version
echo "1..$n"
exit $bad
