# Set-up and the daily jobs. Needs Python >= 3.11, make and a package index; nothing else, no root.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip --disable-pip-version-check
WORKSPACE ?= workspace

.PHONY: help demo test test-servers lint format check-contract bench clean constraints

help: ## list the targets · 列出可用目标
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-15s %s\n", $$1, $$2}' Makefile

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Python 3.11 or newer is needed; try: make PYTHON=python3.12 …")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.run: $(VENV)/bin/python pyproject.toml constraints.txt
	@echo "正在安装运行环境（首次约一分钟） · installing what it runs on (about a minute, the first time)"
	@$(PIP) install --quiet --constraint constraints.txt --editable '.[devchain,fast,gm]'
	@touch $@

$(VENV)/.dev: $(VENV)/.run
	@echo "正在安装测试与检查工具 · installing the tools for tests and checks"
	@$(PIP) install --quiet --constraint constraints.txt --editable '.[devchain,fast,gm,hsm,test,lint,bench]'
	@touch $@

demo: $(VENV)/.run ## the main job as a story, on the embedded defaults · 演示全流程
	@$(BIN)/ematerials demo --workspace $(WORKSPACE)

test: $(VENV)/.dev test-servers ## the test suite · 运行测试
	@$(BIN)/python -m pytest -n 4 -q

test-servers: ## what tests run beside themselves: SoftHSM2 (apt-get), anvil (npm), geth (Go) · 安装测试所需的外部程序
	@sh tests/support/install_softhsm.sh
	@sh tests/support/install_chains.sh

lint: $(VENV)/.dev ## ruff, mypy --strict, import-linter · 静态检查
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache

format: $(VENV)/.dev ## let ruff format the tree · 格式化代码
	@$(BIN)/ruff check --fix-only --quiet .
	@$(BIN)/ruff format .

bench: $(VENV)/.dev ## the quick benchmarks · 快速基准
	@for bench in bench/*.py; do $(BIN)/python $$bench --quick || exit 1; done

check-contract: $(VENV)/.dev ## rebuild the contract (needs node and npm) and compare its bytes · 重编合约并比对
	@cd anchors/contract && npm ci --silent && node build.mjs --check

constraints: ## write constraints.txt anew from the index · 更新依赖约束
	@rm -rf build/constraints && $(PYTHON) -m venv build/constraints
	@build/constraints/bin/python -m pip install --quiet '.[devchain,fast,gm,hsm,test,lint,bench]'
	@build/constraints/bin/python -m pip freeze --exclude ematerials > constraints.txt

clean: ## remove the environment and caches, keep workspaces · 清理环境
	@rm -rf $(VENV) build .mypy_cache .ruff_cache .pytest_cache *.egg-info
