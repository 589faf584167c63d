#!/bin/sh
# Make .venv hold medpsy (editable) with the extras named as arguments. Safe to repeat; a finished one costs a moment.
#
# .venv/medpsy-stamp is written last. It names this folder, a checksum of pyproject.toml and constraints.txt, and
# the extras installed. An environment is made anew if it has no stamp (it was interrupted), if it was made in
# another folder (its commands point there), or if its python does not run.
set -eu
cd "$(dirname "$0")/.."
here=$(pwd -P)
stamp=.venv/medpsy-stamp
sum=$(cat pyproject.toml constraints.txt | cksum)

folder='' old='' extras=''
if [ -f "$stamp" ]; then
    { read -r folder && read -r old && read -r extras; } <"$stamp" || true
fi

runs() { .venv/bin/python -c 'import sys, pip; assert sys.version_info >= (3, 12)' </dev/null >/dev/null 2>&1; }

if [ -e .venv ] || [ -L .venv ]; then
    if [ "$folder" != "$here" ] || ! runs; then
        echo "The environment .venv is broken, unfinished or from another folder: making it anew."
        rm -rf .venv
        extras=''
    fi
fi

# Extras installed earlier stay in the request, so that a changed pin reaches them too.
wanted=$extras
for extra in "$@"; do
    case ",$wanted," in *",$extra,"*) ;; *) wanted="${wanted:+$wanted,}$extra" ;; esac
done
[ -d .venv ] && [ "$old" = "$sum" ] && [ "$wanted" = "$extras" ] && exit 0

if [ ! -d .venv ]; then
    python=$(sh scripts/python.sh)
    echo "Making .venv with $python"
    "$python" -m venv .venv
fi
rm -f "$stamp"
echo "Installing medpsy${wanted:+[$wanted]} into .venv (the first time takes a few minutes) ..."
log=.venv/medpsy-install.log
if ! .venv/bin/python -m pip install --disable-pip-version-check --no-input --progress-bar off --retries 10 \
    --timeout 60 --constraint constraints.txt --editable ".${wanted:+[$wanted]}" >"$log" 2>&1; then
    tail -n 40 "$log" >&2
    echo "medpsy could not be installed: what pip said last stands above, all of it in $log." >&2
    exit 1
fi
printf '%s\n' "$here" "$sum" "$wanted" >"$stamp.part"
mv "$stamp.part" "$stamp"
