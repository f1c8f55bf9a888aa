#!/bin/bash
# Proves that a fresh Debian with git, make and python3 and nothing else runs this project. Needs root, mmdebstrap and
# systemd-nspawn. For each suite: a new root file system, a clone of the last commit, then
#   1. as a user without sudo: set-up refuses, and one line says what to install
#   2. as root, with an empty environment (PATH alone, not even HOME): set-up, what FRESH_RUN says, a second set-up
#   3. the same after git clean -xfd, with HOME
# By the environment, all optional:
#   FRESH_SUITES   Debian releases                            (bookworm trixie)
#   FRESH_RUN      what to run in the clone                   (DEMO_FAST=1 make demo && make test)
#   FRESH_MIRROR   where Debian comes from                    (http://deb.debian.org/debian)
#   FRESH_FOLDER   where the root file systems are kept       (a folder in TMPDIR; delete it to begin anew)
#   FRESH_CA       certificates (PEM) that replace Debian's, for a network that has its own authority
# pip's, npm's and the proxies' own variables (PIP_INDEX_URL, npm_config_registry, https_proxy, ...) are passed on.
set -euo pipefail
cd "$(dirname "$0")/.."

suites=${FRESH_SUITES:-bookworm trixie}
run=${FRESH_RUN:-DEMO_FAST=1 make demo && make test}
mirror=${FRESH_MIRROR:-http://deb.debian.org/debian}
folder=${FRESH_FOLDER:-${TMPDIR:-/tmp}/building-gateway-fresh}
clone="/root/a clone"  # a space: a path that careless scripts cannot bear
say() { printf 'fresh machine: %s\n' "$*"; }

[ "$(id -u)" = 0 ] || { say "needs root: sudo make test-fresh"; exit 2; }
for tool in mmdebstrap systemd-nspawn; do
    command -v "$tool" >/dev/null || { say "please install: apt-get install mmdebstrap systemd-container"; exit 2; }
done

passed=(PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin)
for name in http_proxy https_proxy no_proxy PIP_INDEX_URL PIP_EXTRA_INDEX_URL PIP_TRUSTED_HOST npm_config_registry; do
    [ -z "${!name:-}" ] || passed+=("$name=${!name}")
done
[ -z "${FRESH_CA:-}" ] || passed+=(PIP_CERT=/etc/ssl/certs/ca-certificates.crt NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt)

# inside ROOT COMMAND...: runs in the container, in the clone, with nothing in the environment but what is passed on.
inside() {
    systemd-nspawn --quiet --directory="$1" --register=no --keep-unit --as-pid2 --pipe --resolv-conf=copy-host \
        --chdir="$clone" env --ignore-environment "${passed[@]}" "${@:2}"
}

one_suite() {
    local suite=$1 base=$folder/$1 root=$folder/$1.run began
    if [ ! -e "$base.made" ]; then
        say "$suite: making a root file system"
        rm -rf "$base"
        mmdebstrap --quiet --variant=minbase --include=git,make,python3,ca-certificates "$suite" "$base" "$mirror"
        touch "$base.made"
    fi
    rm -rf "$root"
    cp -a --reflink=auto "$base" "$root"
    [ -z "${FRESH_CA:-}" ] || cp "$FRESH_CA" "$root/etc/ssl/certs/ca-certificates.crt"
    git clone --quiet --no-hardlinks . "$root$clone"

    say "$suite: a user who may install nothing"
    chmod 755 "$root/root"
    local refusal
    if refusal=$(inside "$root" setpriv --reuid=65534 --regid=65534 --clear-groups .ci/setup demo 2>&1); then
        say "$suite: set-up as nobody went on without mosquitto and python3-venv"; return 1
    fi
    grep -qx 'set-up: please install first:  sudo apt-get install .*mosquitto python3-venv' <<<"$refusal" ||
        { say "$suite: set-up as nobody said: $refusal"; return 1; }

    local home
    for home in "" HOME=/root; do
        say "$suite: a clean clone, ${home:-without HOME}: $run"
        inside "$root" ${home:+"$home"} git clean -xfdq
        inside "$root" ${home:+"$home"} sh -euc "$run"
        began=$SECONDS
        inside "$root" ${home:+"$home"} make --silent .venv/.demo .venv/.test
        [ $((SECONDS - began)) -lt 5 ] || { say "$suite: a second set-up took $((SECONDS - began)) s"; return 1; }
        [ -z "$(git -C "$root$clone" status --porcelain)" ] || { say "$suite: the run left files in the tree"; return 1; }
    done
    say "$suite: passed ($root is kept)"
}

for suite in $suites; do one_suite "$suite"; done
