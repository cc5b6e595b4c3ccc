#!/bin/sh
# Brings up .venv: Python 3.10, the packages of requirements.lock with their hashes verified, this project editable.
#
#   scripts/env.sh        make .venv current; returns at once if it is
#   scripts/env.sh lock   write requirements.lock from pyproject.toml; versions in it stay unless they no longer fit
#
# PYTHON=...  the Python 3.10 to use. Without it: python3.10 on PATH, pyenv's, any other that uv finds, one that uv downloads.
# uv is taken from PATH, else put into .tools/uv at the version and with the hashes of scripts/uv.txt.
set -eu
unset CDPATH  # with it, cd may go elsewhere, and prints where
cd "$(dirname "$0")/.."

stamp=.venv/.stamp            # the last thing written; says what .venv was made from
unfinished=.venv/.unfinished  # there while packages are written; found later, it means that .venv may be broken

unset UV_SYSTEM_PYTHON UV_PYTHON PYTHONHOME  # each would turn uv or Python away from .venv

say() { echo "env: $*" >&2; }
die() { say "$*"; exit 2; }

# Prints the path of the interpreter behind $1 (a shim, a virtual environment), if that is a CPython 3.10 that runs.
python310() {
    "$1" -c '
import os, sys
if sys.version_info[:2] != (3, 10) or sys.implementation.name != "cpython": sys.exit(1)
path = os.path.join(sys.base_prefix, "bin", "python3.10")
print(os.path.realpath(path if os.access(path, os.X_OK) else sys.executable))' 2>/dev/null
}

find_python() {
    if [ -n "${PYTHON:-}" ]; then
        python310 "$PYTHON" && return
        version=$("$PYTHON" --version 2>&1) || die "PYTHON=$PYTHON cannot be run; give the path of a Python 3.10"
        die "PYTHON=$PYTHON is $version, but Lava needs CPython 3.10; give the path of one or leave PYTHON out"
    fi
    for python in python3.10 "${PYENV_ROOT:-${HOME:-}/.pyenv}"/versions/3.10*/bin/python3.10; do
        python310 "$python" && return
    done
    "$uv" python find --system --no-project --no-python-downloads cpython@3.10 2>/dev/null && return
    say "no Python 3.10 on this machine; downloading one"
    "$uv" python install --quiet cpython@3.10 >/dev/null 2>&1 &&
        "$uv" python find --system --no-project --no-python-downloads cpython@3.10 2>/dev/null && return
    die "no Python 3.10 found, and none could be downloaded; install it, then run 'make PYTHON=/path/to/python3.10 TARGET'"
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
wanted() { pwd -P; cksum requirements.lock pyproject.toml scripts/env.sh; }

is_current() {
    [ "$(cat "$stamp" 2>/dev/null)" = "$state" ] && [ -x .venv/bin/python ] && [ ! -e "$unfinished" ] &&
        { [ -z "$asked" ] || [ "$(python310 .venv/bin/python)" = "$asked" ]; }
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
        say "an earlier installation into .venv did not finish; making .venv anew"
        rm -rf .venv
    elif [ -e "$stamp" ] && [ "$(sed -n 1p "$stamp")" != "$(pwd -P)" ]; then
        say ".venv was made in another place, where its scripts look for Python; making it anew"
        rm -rf .venv
    elif [ -e .venv ]; then
        has=$(python310 .venv/bin/python || true)
        if [ -z "$has" ] || [ "$has" != "${asked:-$has}" ]; then
            say ".venv was made by another Python; making it anew"
            rm -rf .venv
        fi
    fi
    if [ ! -e .venv ]; then
        python=${asked:-$(find_python)}
        "$uv" venv --quiet --no-project --python "$python" .venv
    fi
    # install, not sync: what people add to .venv themselves stays; `make distclean` gives the exact set
    say "installing requirements.lock into .venv (on x86_64 Linux about 5.5 GB, with CUDA's libraries)"
    rm -f "$stamp"
    : >"$unfinished"
    quiet=
    if [ ! -t 2 ]; then quiet=--quiet; fi  # progress is for people; a log needs no list of packages
    "$uv" pip install $quiet --python .venv/bin/python --require-hashes --only-binary :all: -r requirements.lock
    "$uv" pip install --quiet --python .venv/bin/python --no-deps --no-build-isolation --editable .
    rm -f "$unfinished"
    echo "$state" >"$stamp"
    say "ready: $(.venv/bin/python --version) in .venv"
}

lock() {
    unset UV_INDEX UV_DEFAULT_INDEX UV_INDEX_URL UV_EXTRA_INDEX_URL UV_FIND_LINKS
    uv=$(find_uv)
    # without the emulators: they are others' work, with licences of their own
    "$uv" pip compile --quiet --universal --python-version 3.10 --generate-hashes --no-emit-index-url \
        --extra audio --extra report --extra train --extra lava --extra cluster --extra dev \
        --custom-compile-command "make lock" --output-file requirements.lock pyproject.toml
}

case ${1:-sync} in
    sync | lock) "${1:-sync}" ;;
    *) die "unknown command '$1'; known: sync, lock" ;;
esac
