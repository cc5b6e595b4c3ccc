#!/bin/sh
# Brings up an environment: its Python, the packages of its lock with their hashes verified, this project editable.
#
#   scripts/env.sh            make .venv current (Python 3.10, everything but the emulators); returns at once if it is
#   scripts/env.sh core       make .venv-core current: the core and its tests, on the newest Python from 3.10 to 3.13
#   scripts/env.sh emulators  make .venv-emulators current: what .venv has, and the emulators
#   scripts/env.sh second     print the path of a Python from 3.11 to 3.13 to test the core with; say so if there is none
#   scripts/env.sh lock       write the locks from pyproject.toml; versions in them stay unless they no longer fit
#
# PYTHON=...  the Python to use. Without it: one on PATH, pyenv's, any other that uv finds, one that uv downloads.
# uv is taken from PATH, else put into .tools/uv at the version and with the hashes of scripts/uv.txt.
set -eu
unset CDPATH  # with it, cd may go elsewhere, and prints where
cd "$(dirname "$0")/.."

unset UV_SYSTEM_PYTHON UV_PYTHON PYTHONHOME  # each would turn uv or Python away from the environment

say() { echo "env: $*" >&2; }
die() { say "$*"; exit 2; }

# Prints the path of the interpreter behind $1 (a shim, a virtual environment), if that is a CPython of $pythons that runs.
suitable() {
    "$1" -c '
import os, sys
version = "%d.%d" % sys.version_info[:2]
if version not in sys.argv[1:] or sys.implementation.name != "cpython": sys.exit(1)
path = os.path.join(sys.base_prefix, "bin", "python" + version)
print(os.path.realpath(path if os.access(path, os.X_OK) else sys.executable))' $pythons 2>/dev/null
}

# Prints the first Python of $pythons on this machine, in their order.
present() {
    for version in $pythons; do
        for python in "python$version" "${PYENV_ROOT:-${HOME:-}/.pyenv}/versions/$version"*"/bin/python$version" python3; do
            (pythons=$version; suitable "$python") && return
        done
    done
    uv=$(find_uv)
    for version in $pythons; do
        "$uv" python find --system --no-project --no-python-downloads "cpython@$version" 2>/dev/null && return
    done
    return 1
}

find_python() {
    if [ -n "${PYTHON:-}" ]; then
        suitable "$PYTHON" && return
        version=$("$PYTHON" --version 2>&1) || die "PYTHON=$PYTHON cannot be run; give the path of a Python $range"
        die "PYTHON=$PYTHON is $version, but $why CPython $range; give the path of one or leave PYTHON out"
    fi
    present && return
    version=${pythons%% *}
    say "no Python $range on this machine; downloading one"
    "$uv" python install --quiet "cpython@$version" >/dev/null 2>&1 &&
        "$uv" python find --system --no-project --no-python-downloads "cpython@$version" 2>/dev/null && return
    die "no Python $range found, and none could be downloaded; install it, then run 'make PYTHON=/path/to/python TARGET'"
}

# Prints the path of a uv that runs and is new enough (0.5); installs one if there is none.
find_uv() {
    case $(uv --version 2>/dev/null) in
        "" | "uv 0."[0-4].*) ;;
        *) command -v uv; return ;;
    esac
    pinned=$(sed -n 's/^uv==\([0-9.]*\).*/\1/p' scripts/uv.txt)
    case $(.tools/uv/bin/uv --version 2>/dev/null) in
        "uv $pinned"*) ;;
        *) install_uv ;;
    esac
    echo .tools/uv/bin/uv
}

install_uv() {
    say "no uv on PATH; installing uv $pinned into .tools/uv"
    rm -rf .tools/uv .tools/new
    mkdir -p .tools
    for python in ${PYTHON:+"$PYTHON"} python3 python3.10 python "${PYENV_ROOT:-${HOME:-}/.pyenv}"/versions/3*/bin/python3; do
        "$python" -c 'import sys; sys.exit(sys.version_info < (3, 8))' 2>/dev/null || continue
        if "$python" -m pip --version >/dev/null 2>&1; then
            pip=$python
        elif "$python" -m venv .tools/pip >/dev/null 2>&1; then
            pip=.tools/pip/bin/python
        else
            continue
        fi
        PIP_ROOT_USER_ACTION=ignore PIP_USER=0 PIP_REQUIRE_VIRTUALENV=0 "$pip" -m pip install --quiet --no-input \
            --disable-pip-version-check --require-hashes --only-binary :all: --target .tools/new -r scripts/uv.txt >&2 ||
            die "pip could not install uv $pinned (its message is above); install uv yourself, so that it is on PATH"
        rm -rf .tools/pip
        mv .tools/new .tools/uv
        return
    done
    die "found neither uv nor a Python 3.8 or newer with pip to install it; install one of the two"
}

# What a current environment was made from: this place and the files that decide its content.
wanted() { pwd -P; cksum "$lock" pyproject.toml scripts/env.sh; }

is_current() {
    [ "$(cat "$stamp" 2>/dev/null)" = "$state" ] && [ -x "$venv/bin/python" ] && [ ! -e "$unfinished" ] &&
        { [ -z "$asked" ] || [ "$(suitable "$venv/bin/python")" = "$asked" ]; }
}

sync() {
    state=$(wanted)
    asked=
    if [ -n "${PYTHON:-}" ]; then asked=$(find_python); fi  # checked even if .venv is current
    if is_current; then return; fi
    if command -v flock >/dev/null; then  # two makes at once: the second waits, and finds the work done
        mkdir -p .tools
        exec 9>.tools/lock
        flock 9
        if is_current; then return; fi
    fi

    uv=$(find_uv)
    if [ -e "$unfinished" ]; then
        say "an earlier installation into $venv did not finish; making $venv anew"
        rm -rf "$venv"
    elif [ -e "$stamp" ] && [ "$(sed -n 1p "$stamp")" != "$(pwd -P)" ]; then
        say "$venv was made in another place, where its scripts look for Python; making it anew"
        rm -rf "$venv"
    elif [ -e "$venv" ]; then
        has=$(suitable "$venv/bin/python" || true)
        if [ -z "$has" ] || [ "$has" != "${asked:-$has}" ]; then
            say "$venv was made by another Python; making it anew"
            rm -rf "$venv"
        fi
    fi
    if [ ! -e "$venv" ]; then
        python=${asked:-$(find_python)}
        "$uv" venv --quiet --no-project --python "$python" "$venv"
    fi
    # install, not sync: what people add themselves stays; `make distclean` gives the exact set
    say "installing $lock into $venv (on x86_64 Linux about $size)"
    rm -f "$stamp"
    : >"$unfinished"
    quiet=
    if [ ! -t 2 ]; then quiet=--quiet; fi  # progress is for people; a log needs no list of packages
    "$uv" pip install $quiet --python "$venv/bin/python" --require-hashes --only-binary :all: -r "$lock"
    "$uv" pip install --quiet --python "$venv/bin/python" --no-deps --no-build-isolation --editable .
    # in 20 s: where PYTHONDONTWRITEBYTECODE is set, as in many containers, each program would compile all that it imports.
    # Not by uv, which leaves out what is installed already; files that do not compile are examples for other Pythons.
    "$venv/bin/python" -m compileall -qq -j 0 "$venv"/lib/python3*/site-packages || true
    rm -f "$unfinished"
    echo "$state" >"$stamp"
    say "ready: $("$venv/bin/python" --version) in $venv"
}

# One lock: its name, then what uv is to resolve.
compile() {
    to=$1
    shift
    "$uv" pip compile --quiet --universal --python-version 3.10 --generate-hashes --no-emit-index-url \
        --custom-compile-command "make lock" --output-file "$to" "$@" pyproject.toml
}

lock() {
    unset UV_INDEX UV_DEFAULT_INDEX UV_INDEX_URL UV_EXTRA_INDEX_URL UV_FIND_LINKS
    uv=$(find_uv)
    everything="--extra audio --extra report --extra train --extra lava --extra cluster"
    # without the emulators: they are others' work, with licences of their own
    compile requirements.lock $everything --extra dev
    # all Pythons and systems: pyproject.toml tells uv of Lava's alone
    compile requirements-core.lock --no-config --extra test
    # the emulators beside the versions of requirements.lock
    compile requirements-emulators.lock --constraint requirements.lock \
        --extra audio --extra train --extra emulators --extra sanafe --extra neurobench --extra test
}

# The environment of a name: its folder, its lock, the Pythons it may have, the one that is looked for first in front.
environment() {
    case $1 in
        main) venv=.venv lock=requirements.lock pythons=3.10 range=3.10 why="Lava needs" size="5.5 GB, with CUDA's libraries" ;;
        core) venv=.venv-core lock=requirements-core.lock pythons="3.13 3.12 3.11 3.10" range="3.10 to 3.13" why="numba needs" size="250 MB" ;;
        emulators) venv=.venv-emulators lock=requirements-emulators.lock pythons=3.10 range=3.10 why="SLAYER needs" size="5.7 GB" ;;
    esac
    stamp=$venv/.stamp            # the last thing written; says what the environment was made from
    unfinished=$venv/.unfinished  # there while packages are written; found later, it means that the environment may be broken
}

second() {
    pythons="3.13 3.12 3.11"
    present || say "no Python from 3.11 to 3.13 on this machine: the core's tests are not run on a second one"
}

case ${1:-main} in
    main | core | emulators) environment "${1:-main}"; sync ;;
    lock | second) "$1" ;;
    *) die "unknown command '$1'; known: main, core, emulators, second, lock" ;;
esac
