#!/bin/sh
# One command: makes the keys and the genesis block the first time, starts four validators, waits for the first blocks.
#   sh start.sh              stop: docker compose stop        away with the chain and its keys: sh start.sh --remove
set -eu
cd "$(dirname "$0")"
python="${PYTHON:-../../.venv/bin/python}"

if ! command -v docker > /dev/null || ! docker compose version > /dev/null 2>&1; then
    echo "需要 docker 与 docker compose · docker with its compose plugin is needed" >&2
    exit 69
fi
if [ "${1:-}" = --remove ]; then
    docker compose down
    rm -rf net data .env
    exit 0
fi
if [ ! -x "$python" ]; then
    echo "请先在项目根目录运行 make demo，或设置 PYTHON · run 'make demo' in the project first, or set PYTHON" >&2
    exit 69
fi
"$python" make_network.py "$@" .
docker compose up --detach

ask() { # port, method, parameters
    "$python" -c 'import sys
from anchors.evm import http_endpoint
from json import dumps, loads
print(dumps(http_endpoint("http://127.0.0.1:" + sys.argv[1]).call(sys.argv[2], *loads(sys.argv[3]))))' "$@" 2> /dev/null
}

echo "等待出块 · waiting for blocks"
tries=0
until [ "$(ask 8545 eth_blockNumber '[]' || echo '"0x0"')" != '"0x0"' ]; do
    tries=$((tries + 1))
    if [ "$tries" -gt 120 ]; then
        echo "两分钟内没有出块，请看 docker compose logs · no block in two minutes: see docker compose logs" >&2
        exit 69
    fi
    sleep 1
done
echo "验证节点 · validators: $(ask 8545 qbft_getValidatorsByBlockNumber '["latest"]')"
echo "网络已就绪 · the network is up: http://127.0.0.1:8545 … 8548"
echo "试一次存证 · try it: $python ../anchor_check.py --rpc http://127.0.0.1:8545 --rpc http://127.0.0.1:8546 --block-seconds 2"
