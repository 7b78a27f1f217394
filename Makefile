# `make demo` and `make test` need nothing but Python 3.10-3.12 with venv; `make setup` installs the rest into .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
export ROS_AUTOMATIC_DISCOVERY_RANGE ?= LOCALHOST

.PHONY: help setup demo gazebo browser test lint docs clean

help:
	@echo "make demo    run the demonstration mission (simulated, about four minutes)"
	@echo "make gazebo  Gazebo 11 into ~/.cache/mine_robot, for 'mine-robot run --sim gazebo' and its tests (260 MB to fetch)"
	@echo "make browser chromium, for the tests of the console's page (Debian or Ubuntu, as root)"
	@echo "make test    lint, types and every test"
	@echo "make docs    write the generated pages of docs/ again"
	@echo "make clean   remove .venv and caches (runs/ stays)"

setup: $(STAMP)

$(STAMP): setup.py constraints.txt
	@test "$$(uname -s)" != Linux || test "$$(uname -m)" = x86_64 || \
		echo "make setup: $$(uname -m) has no wheels of ROS 2 (ros-jazzy-rclpy and most ros-*): use a ROS 2 Jazzy installation, see 'In a ROS 2 workspace' in README.md" >&2
	$(PYTHON) -m venv $(VENV)
	PIP_CONSTRAINT= $(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade pip setuptools wheel
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt --editable ".[test]"
	touch $@

demo: setup
	$(BIN)/mine-robot run config/missions/demo_field.geojson --scenario config/scenarios/demo.yaml

gazebo: setup
	$(BIN)/python -m mine_robot.gazebo.install

browser:
	@command -v chromium || command -v chromium-browser || command -v google-chrome || \
	  { apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends chromium; }

test: setup lint
	$(BIN)/python -m pytest -n 2 --dist loadfile
	@$(BIN)/python -m mine_robot.gazebo.place

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

docs: setup
	$(BIN)/python -m mine_robot.bringup.docs docs

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .hypothesis .mypy_cache .ruff_cache
