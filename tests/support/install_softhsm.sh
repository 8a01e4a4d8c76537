#!/bin/sh
# SoftHSM2 for the tests of keys in an HSM. Installs it where that needs no questions: as root, with apt-get.
# Elsewhere it says what to do; those tests are then skipped.
command -v softhsm2-util > /dev/null && exit 0

manual='without SoftHSM2 the HSM tests are skipped; to have it: apt-get install softhsm2, dnf install softhsm, brew install softhsm'
if [ "$(id -u)" != 0 ] || ! command -v apt-get > /dev/null; then
    echo "未找到 SoftHSM2，将跳过 HSM 测试 · $manual"
    exit 0
fi

install() {
    DEBIAN_FRONTEND=noninteractive apt-get -qq -o Acquire::Retries=1 -o Acquire::http::Timeout=20 \
        install -y --no-install-recommends softhsm2 > /dev/null 2>&1
}
echo "正在安装 SoftHSM2，供 HSM 测试使用 · installing SoftHSM2 for the HSM tests (apt-get install softhsm2)"
install && exit 0
apt-get -qq -o Acquire::Retries=1 -o Acquire::http::Timeout=20 update > /dev/null 2>&1
install || echo "未能安装 SoftHSM2 · it could not be installed; $manual"
