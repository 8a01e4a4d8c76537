#!/bin/sh
# Real chain nodes for the tests, in build/chains (ignored by git): anvil from npm, and geth, the last line of it that
# seals Clique blocks, compiled by Go from its module. Does nothing when both are there. Nothing is asked of the user
# and nothing is written elsewhere but into the caches of npm and Go. What can't be had here is told, and why is written
# to build/chains/NAME.why: the tests that need it are skipped with that reason.
set -u
cd "$(dirname "$0")/../.." || exit 1
anvil_version=1.7.1
geth_version=1.13.15
place=build/chains
mkdir -p "$place" || exit 1

missing() { # name, reason
    echo "$2" > "$place/$1.why"
    echo "未安装 $1，将跳过其测试 · $1 is not installed, its tests are skipped: $2 ($place/$1.log)"
}

install_anvil() {
    if ! command -v npm > /dev/null; then missing anvil 'node and npm are not here'; return; fi
    echo "正在安装 anvil，供链上测试使用（约 45 MB） · installing anvil $anvil_version for the chain tests (npm, 45 MB)"
    rm -rf "$place/npm"
    mkdir -p "$place/npm"
    # no lock file: npm would write into it the package of this platform alone
    npm install --prefix "$place/npm" --no-save --no-package-lock --ignore-scripts --no-audit --no-fund \
        "@foundry-rs/anvil@$anvil_version" > "$place/anvil.log" 2>&1
    for binary in "$place"/npm/node_modules/@foundry-rs/anvil-*/bin/anvil; do
        [ -x "$binary" ] || continue
        mv "$binary" "$place/anvil-$anvil_version"
        rm -rf "$place/npm" "$place/anvil.why" "$place/anvil.log"
        return
    done
    missing anvil 'npm could not install it'
}

install_geth() {
    if ! command -v go > /dev/null; then missing geth 'Go is not here'; return; fi
    echo "正在编译 geth，供链上测试使用（首次需数分钟） · compiling geth $geth_version for the chain tests (some minutes, the first time)"
    # Go >= 1.23 refuses what one of geth's modules, a debug page of memory sizes, links to: never start it with --pprof
    names=''
    if go tool link -help 2>&1 | grep -q checklinkname; then names='-checklinkname=0'; fi
    rm -rf "$place/go"
    mkdir -p "$place/go"
    if CGO_ENABLED=0 GOBIN="$PWD/$place/go" go install -trimpath "-ldflags=-s -w $names" \
        "github.com/ethereum/go-ethereum/cmd/geth@v$geth_version" > "$place/geth.log" 2>&1; then
        mv "$place/go/geth" "$place/geth-$geth_version"
        rm -rf "$place/go" "$place/geth.why" "$place/geth.log"
        return
    fi
    missing geth 'Go could not compile it'
}

[ -x "$place/anvil-$anvil_version" ] || install_anvil
[ -x "$place/geth-$geth_version" ] || install_geth
exit 0
