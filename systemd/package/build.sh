#!/bin/bash
# Builds dist/building-gateway_VERSION_ARCHITECTURE.deb for Debian 12 (bookworm, Python 3.11): the agent with everything
# of Python that it needs, from lock/agent.txt by its hashes. What is packed are the files that git knows; times are the
# last commit's, so that a commit always gives the same bytes. Compiled wheels tie a package to one minor of Python.
#   systemd/package/build.sh [--version VERSION] [--into FOLDER] [ARCHITECTURE...]      (of the commit, dist, amd64 arm64)
set -euo pipefail
say() { printf 'package: %s\n' "$*"; }
version="" dist=""
while [ $# -gt 0 ]; do
    case "$1" in
        --version) version=${2:?a version of Debian\'s form}; shift 2 ;;
        --into) dist=$(realpath --no-symlinks "${2:?a folder}"); shift 2 ;;
        -*) say "unknown option $1: --version or --into"; exit 2 ;;
        *) break ;;
    esac
done
cd "$(dirname "$0")/../.."
umask 022
export LC_ALL=C SOURCE_DATE_EPOCH PYTHONDONTWRITEBYTECODE=1
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
# It becomes the time floor of the agent: no order from before it is carried out, and none at all if it is yet to come.
[ "$SOURCE_DATE_EPOCH" -le "$(date +%s)" ] || { say "the last commit is of the future: set this machine's clock"; exit 2; }

command -v dpkg-deb >/dev/null || { say "needs dpkg-deb, of Debian's package dpkg"; exit 2; }
python=$PWD/.venv/bin/python
dist=${dist:-$PWD/dist}
number=$(sed -n 's/^version = "\(.*\)"$/\1/p' pyproject.toml | head -1)
# A release is a commit with its tag; every other one comes before it, later ones after earlier ones.
if [ -n "$version" ]; then :
elif git describe --exact-match --tags --match "v$number" >/dev/null 2>&1; then version=$number
else version="$number~$(date -u -d "@$SOURCE_DATE_EPOCH" +%Y%m%d%H%M%S)"
fi
[ -z "$(git status --porcelain --untracked-files=no)" ] || say "the tree has changes that are not committed; they are packed too"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$dist" "$work/source"
git ls-files -z | while IFS= read -r -d '' file; do [ ! -e "$file" ] || printf '%s\0' "$file"; done |
    tar --null --files-from=- --create | tar --extract --directory="$work/source"
pip() { "$python" -m pip --quiet --disable-pip-version-check --no-input "$@"; }
pip wheel --no-deps --no-build-isolation --wheel-dir "$work/ours" "$work/source"

platforms() {  # glibc of bookworm is 2.36
    local machine=$1 glibc
    for glibc in manylinux_2_34 manylinux_2_28 manylinux_2_17 manylinux2014; do printf -- '--platform %s_%s ' "$glibc" "$machine"; done
}

one_architecture() {
    local architecture=$1 machine root=$work/$1 lib=$work/$1/usr/lib/building-gateway
    case "$architecture" in
        amd64) machine=x86_64 ;;
        arm64) machine=aarch64 ;;
        *) say "unknown architecture $architecture: amd64 or arm64"; exit 2 ;;
    esac
    mkdir -p "$lib" "$root"/DEBIAN "$root"/usr/{bin,lib/{systemd/system,sysusers.d,tmpfiles.d,udev/rules.d}} \
        "$root"/usr/share/{building-gateway,doc/building-gateway}
    # shellcheck disable=SC2046 - the words are options
    pip install --target "$lib" --no-compile --no-deps --only-binary=:all: --require-hashes --requirement lock/agent.txt \
        --implementation cp --python-version 3.11 --abi cp311 --abi abi3 --abi none $(platforms "$machine")
    rm -rf "$lib/bin"
    pip install --target "$lib" --no-compile --no-deps --no-index "$work"/ours/*.whl
    printf '%s\n' "$SOURCE_DATE_EPOCH" >"$lib/gateway/built"
    # What pip wrote for itself: where a wheel came from, what it put where, programs with the path of our Python.
    rm -rf "$lib/bin"
    find "$lib" \( -name direct_url.json -o -name RECORD -o -name REQUESTED -o -name INSTALLER \) -delete

    install -m 755 systemd/package/gateway "$root/usr/bin/gateway"
    install -m 644 systemd/gateway.service systemd/gateway-door.service systemd/gateway-web.{service,socket} "$root/usr/lib/systemd/system/"
    install -m 644 systemd/sysusers.conf "$root/usr/lib/sysusers.d/building-gateway.conf"
    install -m 644 systemd/tmpfiles.conf "$root/usr/lib/tmpfiles.d/building-gateway.conf"
    install -D -m 644 systemd/timesyncd.conf "$root/usr/lib/systemd/timesyncd.conf.d/50-building-gateway.conf"
    install -m 644 systemd/udev.rules "$root/usr/lib/udev/rules.d/60-building-gateway.rules"
    install -m 644 config/example.toml "$root/usr/share/building-gateway/site.example.toml"
    install -m 644 docs/installer.md docs/door.md docs/missing-data.md CHANGELOG.md "$root/usr/share/doc/building-gateway/"
    install -m 644 LICENSE "$root/usr/share/doc/building-gateway/copyright"
    install -m 755 systemd/package/debian/{postinst,prerm,postrm} "$root/DEBIAN/"
    sed -e "s/@VERSION@/$version/" -e "s/@ARCHITECTURE@/$architecture/" \
        -e "s/@SIZE@/$(du -k --apparent-size -s "$root/usr" | cut -f1)/" systemd/package/debian/control >"$root/DEBIAN/control"

    find "$root" -type d -exec chmod 755 {} +
    find "$lib" -type f -exec chmod 644 {} +
    find "$root" -exec touch --no-dereference --date="@$SOURCE_DATE_EPOCH" {} +
    local deb=$dist/building-gateway_${version}_$architecture.deb
    # One thread: with more, the bytes would depend on how many there are.
    dpkg-deb --root-owner-group --threads-max=1 -Zxz --build "$root" "$deb" >/dev/null
    say "$(du -h --apparent-size "$deb" | cut -f1) ${deb#"$PWD/"}  $(sha256sum "$deb" | cut -c1-16)"
}

for architecture in "${@:-amd64 arm64}"; do for one in $architecture; do one_architecture "$one"; done; done
