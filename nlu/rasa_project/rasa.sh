#!/bin/sh
# Rasa 3.6 in an environment of its own: it needs Python 3.8 to 3.10, and Switchboard a newer one.
#
#   rasa.sh python    print the Python it would take
#   rasa.sh install   make the environment unless it is there (two minutes, 2.7 GB), and print where it is
#   rasa.sh serve     install, and serve the latest model of RASA_HOME/models
#
# RASA_PYTHON  a Python 3.8, 3.9 or 3.10        RASA_TOKEN       who asks has to know it; made and kept when unset
# RASA_CACHE   where environments are kept      RASA_JWT_SECRET  as well as, or instead of, the token
# RASA_HOME    models and token, var/rasa       RASA_HOST, RASA_PORT  127.0.0.1, 5005
set -eu

VERSION=3.6.21
project=$(cd "$(dirname "$0")/../.." && pwd)
cache=${RASA_CACHE:-${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/switchboard}
home=${RASA_HOME:-$project/var/rasa}

complain() {
    echo "$*" >&2
    exit 1
}

# What is called python3.10 may be a shim that only says "command not found", so each one is tried.
runs() {
    "$1" -c 'import ensurepip, sys, venv; sys.exit(not (3, 8) <= sys.version_info[:2] <= (3, 10))' >/dev/null 2>&1
}

find_python() {
    if [ -n "${RASA_PYTHON:-}" ]; then
        runs "$RASA_PYTHON" || complain "RASA_PYTHON=$RASA_PYTHON is no Python 3.8 to 3.10 that runs and can make environments."
        command -v "$RASA_PYTHON"
        return
    fi
    for version in 3.10 3.9 3.8; do
        for candidate in "python$version" "${PYENV_ROOT:-${HOME:-/root}/.pyenv}/versions/$version"*/bin/python; do
            if runs "$candidate"; then
                command -v "$candidate"
                return
            fi
        done
    done
    complain "Rasa needs Python 3.8, 3.9 or 3.10, and none is found that runs. Install one (such as with pyenv) and name it: RASA_PYTHON=/path/to/python3.10"
}

install() {
    python=$(find_python)
    environment=$cache/rasa-$VERSION-$("$python" -c 'import sys; print("py%d.%d" % sys.version_info[:2])')
    if [ ! -e "$environment/complete" ]; then
        echo "Installing Rasa $VERSION into $environment; this takes some minutes." >&2
        mkdir -p "$cache"
        rm -rf "$environment"
        "$python" -m venv "$environment" >&2
        "$environment/bin/python" -m pip install --quiet --disable-pip-version-check "rasa==$VERSION" >&2
        touch "$environment/complete"
    fi
    echo "$environment"
}

# Two at once would spoil each other's environment; where there is no flock, be the only one.
alone() {
    mkdir -p "$cache"
    if command -v flock >/dev/null; then flock "$cache/rasa.lock" "$@"; else "$@"; fi
}

token() {
    if [ -n "${RASA_TOKEN:-}" ]; then
        echo "$RASA_TOKEN"
        return
    fi
    if [ ! -s "$home/token" ]; then
        (umask 077 && "$1/bin/python" -c 'import secrets; print(secrets.token_hex(16))' >"$home/token")
    fi
    cat "$home/token"
}

serve() {
    environment=$(alone "$0" locked-install)
    mkdir -p "$home/models"
    RASA_TOKEN=$(token "$environment")
    RASA_HOST=${RASA_HOST:-127.0.0.1}
    RASA_PORT=${RASA_PORT:-5005}
    export RASA_TOKEN RASA_HOST RASA_PORT
    export RASA_TELEMETRY_ENABLED=false TF_CPP_MIN_LOG_LEVEL=2 PYTHONWARNINGS=ignore
    echo "Rasa will answer at http://$RASA_HOST:$RASA_PORT; for Switchboard: export RASA_TOKEN, kept in $home/token" >&2
    cp "$project/nlu/rasa_project/endpoints.yml" "$project/nlu/rasa_project/credentials.yml" "$home/"
    cd "$home" # Rasa keeps what it trains in ./models
    # Not as arguments of the process: everybody on the machine could read the token there.
    exec "$environment/bin/python" -c '
import os, sys
env = os.environ.get
sys.argv = ["rasa", "run", "--enable-api", "--model", "models", "--credentials", "credentials.yml",
            "--endpoints", "endpoints.yml", "-i", env("RASA_HOST"), "-p", env("RASA_PORT"), "--auth-token", env("RASA_TOKEN")]
if env("RASA_JWT_SECRET"):
    sys.argv += ["--jwt-secret", env("RASA_JWT_SECRET")]
from rasa.__main__ import main
main()
'
}

case ${1:-} in
python) find_python ;;
install) alone "$0" locked-install ;;
locked-install) install ;;
serve) serve ;;
*) complain "usage: $0 python|install|serve" ;;
esac
