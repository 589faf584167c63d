#!/bin/sh
# Print the path of a CPython 3.12 or newer that can make virtual environments; exit 1 where there is none.
#
# Each candidate is run, not merely looked up: a pyenv shim can stand on PATH and fail, .python-version can name
# a version that is absent, and Debian ships python3 without venv. The path printed is the interpreter itself,
# never a shim and never the python of an active virtual environment, which may be about to be replaced.

probe='
import sys, sysconfig
import ensurepip, venv
assert sys.implementation.name == "cpython" and not sysconfig.get_config_var("Py_GIL_DISABLED")
print("%d %d %d %s" % (sys.version_info[:3] + (getattr(sys, "_base_executable", "") or sys.executable,)))
'

# try CANDIDATE: run it; set $rank (a number that grows with the version) and $path, or fail.
try() {
    answer=$("$1" -c "$probe" </dev/null 2>/dev/null) || return 1
    major=${answer%% *}; answer=${answer#* }
    minor=${answer%% *}; answer=${answer#* }
    micro=${answer%% *}; path=${answer#* }
    case "$major$minor$micro" in '' | *[!0-9]*) return 1 ;; esac
    rank=$((major * 1000000 + minor * 1000 + micro))
    [ "$rank" -ge 3012000 ] && [ -n "$path" ]
}

for name in python3.13 python3.12 python3.14 python3 python; do
    if try "$name"; then
        printf '%s\n' "$path"
        exit 0
    fi
done

best=0
for candidate in "${PYENV_ROOT:-${HOME:-}/.pyenv}"/versions/*/bin/python; do
    if [ -x "$candidate" ] && try "$candidate" && [ "$rank" -gt "$best" ]; then
        best=$rank
        found=$path
    fi
done
if [ "$best" -gt 0 ]; then
    printf '%s\n' "$found"
    exit 0
fi

echo "medpsy needs CPython 3.12 or newer with its venv module, and none was found: install Python 3.13" \
    "(for example with 'pyenv install 3.13' or 'apt install python3.13 python3.13-venv') and try again." >&2
exit 1
