# SPDX-License-Identifier: Apache-2.0
# Thin names for what build_scripts/ and tox do.  `make` alone lists them.

SHELL := /bin/bash
.DEFAULT_GOAL := help

# Where the demo cloud lives, its database (mariadb or postgresql), and the first of its ports.
DEMO_DIR ?= /var/lib/fpga-nova/demo
DB ?= mariadb
PORT_BASE ?= 24770
export DEMO_DIR DB PORT_BASE

# What `make unit` runs; without it, all unit tests of the packages that import no Nova.
T ?= $(addprefix tests/unit/,build_scripts distro fpga_patch fpga_regions) \
	--ignore tests/unit/fpga_patch/test_doctor.py

# Where the tests in a Debian of their own work, and which Debian that is.
DISTRO_DIR ?= /var/lib/fpga-nova/distro
SUITE ?= bookworm

# A file that describes a cloud of many hosts, and more words for build_scripts/cloud.sh. With LOCAL the
# cloud is of so many hosts on this machine: make cloud-up LOCAL=3
CLOUD ?= build_scripts/cloud.yaml
CLOUD_ARGS ?=
LOCAL ?=
cloud = $(if $(LOCAL),--local $(LOCAL),$(CLOUD)) $(CLOUD_ARGS)

# Where the hosts on this machine are, where their Debian is cached, and how many `make hosts` starts.
HOSTS_DIR ?= /var/lib/fpga-nova/hosts
ROOTS_DIR ?= /var/lib/fpga-nova/roots
N ?= 3
export HOSTS_DIR ROOTS_DIR

# Where the tests have Docker Engine 26.
ENGINE_DIR ?= /var/lib/fpga-nova/engine-26
export ENGINE_DIR

play = cd build_scripts && ANSIBLE_HOME=$(CURDIR)/.tools/ansible ../.tools/bin/ansible-playbook
cloud_python = $(DEMO_DIR)/venv/cloud/bin/python
record = PYTHONDONTWRITEBYTECODE=1 asciinema rec --quiet --overwrite --cols 100 --rows 50
e2e = PYTHONDONTWRITEBYTECODE=1 $(cloud_python) -m pytest -c pyproject.toml \
	-p no:cacheprovider -W ignore::DeprecationWarning
hosts = PYTHONDONTWRITEBYTECODE=1 .tools/bin/python build_scripts/hosts.py
# The builder of Debian roots is among the build scripts.
distro = PYTHONPATH=build_scripts PYTHONDONTWRITEBYTECODE=1 python3 -m tests.distro

.PHONY: help
help: ## what there is
	@sed -n 's/^\([a-z0-9-]*\):.*## \(.*\)/  make \1|\2/p' $(MAKEFILE_LIST) | column -t -s '|'
	@echo
	@echo '  DEMO_DIR=$(DEMO_DIR) DB=$(DB) PORT_BASE=$(PORT_BASE)'

.PHONY: tools
tools: ## tox and Ansible, in .tools/
	@build_scripts/bootstrap.sh

.PHONY: demo-up
demo-up: tools ## bring the demo cloud up
	@$(play) demo.yml

.PHONY: demo
demo: demo-up ## the demo cloud, and one FPGA container booted, used and deleted
	@PYTHONDONTWRITEBYTECODE=1 $(cloud_python) build_scripts/scenario.py $(DEMO_DIR)

.PHONY: demo-live
demo-live: ## a server of the demo blessed once and launched twice
	@PYTHONDONTWRITEBYTECODE=1 $(cloud_python) build_scripts/scenario_live.py $(DEMO_DIR)

.PHONY: recording
recording: demo-up ## the pictures of the demo and of a developer's loop; asciinema has to be installed
	@build_scripts/dev.sh
	@mkdir -p build
	@$(record) --command '$(MAKE) --no-print-directory demo' build/demo.cast
	@.dev/bin/python build_scripts/recording.py build/demo.cast docs/demo.svg 'make demo'
	@$(record) --command '$(cloud_python) build_scripts/developers_loop.py $(DEMO_DIR)' build/loop.cast
	@.dev/bin/python build_scripts/recording.py build/loop.cast docs/loop.svg "A developer's loop"

.PHONY: demo-shell
demo-shell: ## a shell with the demo cloud's credentials
	@test -e $(DEMO_DIR)/openrc || { echo "no cloud in $(DEMO_DIR); run 'make demo-up' first" >&2; exit 1; }
	@echo "nova, openstack, docker, fpga-cli.py, fpga-manage and fpga-patch reach the cloud in $(DEMO_DIR); 'exit' leaves."
	@bash --rcfile <(cat ~/.bashrc 2>/dev/null; cat $(DEMO_DIR)/openrc; echo 'PS1="(fpga-nova) $$PS1"') -i || true

.PHONY: demo-status
demo-status: ## the demo cloud's daemons
	@$(DEMO_DIR)/bin/daemons.py $(DEMO_DIR)/run status

.PHONY: demo-down
demo-down: ## stop all that the demo started, containers included
	@build_scripts/stop.sh

.PHONY: cloud-plan
cloud-plan: ## what cloud-up does on which host of CLOUD, the file of a cloud
	@build_scripts/cloud.sh plan $(cloud)

.PHONY: cloud-check
cloud-check: ## whether the hosts of CLOUD are fit; nothing is changed
	@build_scripts/cloud.sh check $(cloud)

.PHONY: cloud-up
cloud-up: ## bring the cloud of CLOUD up
	@build_scripts/cloud.sh up $(cloud)

.PHONY: cloud-status
cloud-status: ## the FPGA regions of CLOUD, host by host
	@build_scripts/cloud.sh status $(cloud)

.PHONY: cloud-test
cloud-test: ## boot a container with a region on each FPGA host of CLOUD
	@build_scripts/cloud.sh test $(cloud)

.PHONY: cloud-down
cloud-down: ## remove the cloud of CLOUD from its hosts
	@build_scripts/cloud.sh down $(cloud)

.PHONY: clean
clean: ## stop the demo and remove it, with the tools and what tests left
	@build_scripts/stop.sh --remove
	rm -rf .tools .tox .dev .mypy_cache .ruff_cache .pytest_cache .hypothesis build *.egg-info

.PHONY: demo-clean
demo-clean: ## stop the demo and remove it
	@build_scripts/stop.sh --remove

.PHONY: unit
unit: ## unit tests that need no Nova: make unit T=tests/unit/fpga_regions/test_stress.py
	@build_scripts/unit.sh $(T)

.PHONY: lint
lint: ## ruff, mypy --strict, import-linter: what the environment lint of tox runs
	@build_scripts/dev.sh
	@build_scripts/lint.sh .dev/bin

.PHONY: changelog
changelog: ## CHANGELOG.md, from the release notes
	@build_scripts/dev.sh
	@.dev/bin/python build_scripts/changelog.py

.PHONY: test
test: tools ## linters, unit and functional tests, Nova's own tests on the patched tree
	@$(play) test_needs.yml
	@.tools/bin/tox $(TOX_ARGS)

.PHONY: test-ui
test-ui: tools ## the page of fpga-api in Debian's chromium
	@$(play) ui_needs.yml
	@.tools/bin/tox -e ui

# Which tests `make test-live` runs.
LIVE_TESTS ?= tests/functional/novadocker/live

.PHONY: test-live
test-live: tools ## live images: CRIU built, containers dumped and launched on a real engine
	@$(play) live_needs.yml
	@.tools/bin/tox -e functional -- $(LIVE_TESTS)

.PHONY: screenshots
screenshots: ## the same, and its pictures for the documentation
	@FPGA_NOVA_SCREENSHOTS=1 $(MAKE) --no-print-directory test-ui

.PHONY: docs
docs: tools ## the site, in .tox/docs/site; a warning is an error
	@$(play) docs_needs.yml
	@.tools/bin/tox -e docs

.PHONY: hosts
hosts: tools ## hosts with systemd and sshd on this machine: make hosts N=3
	@$(play) hosts_needs.yml
	@$(hosts) up $(N)

.PHONY: hosts-status
hosts-status: ## what the local hosts do, and their memory
	@$(hosts) status

.PHONY: hosts-down
hosts-down: ## remove the local hosts; cached roots stay
	@$(hosts) down

.PHONY: e2e-hosts
e2e-hosts: tools ## three local hosts: reached, cut off, killed, renamed, removed
	@$(play) hosts_needs.yml
	@build_scripts/dev.sh
	@PYTHONDONTWRITEBYTECODE=1 .dev/bin/python -m pytest -p no:cacheprovider -s tests/hosts

# The order of the story: the cloud comes up in the first file, and goes in the last.
cloud_tests = $(wildcard $(addprefix tests/cloud/test_,$(addsuffix .py,\
	up servers networks moves units power opencl names functions live evacuation interruptions down)))
e2e_cloud = PYTHONDONTWRITEBYTECODE=1 .dev/bin/python -m pytest -p no:cacheprovider -s \
	-W ignore::DeprecationWarning

.PHONY: e2e-cloud
e2e-cloud: tools ## a cloud of three local hosts: killed, rebooted, renamed, evacuated, removed
	@build_scripts/dev.sh
	@$(e2e_cloud) $(cloud_tests)

.PHONY: e2e-cloud-smoke
e2e-cloud-smoke: tools ## a cloud of two local hosts: up, a server with a region, down
	@build_scripts/dev.sh
	@$(e2e_cloud) tests/cloud/test_smoke.py

.PHONY: engine-26
engine-26: ## Docker Engine 26 of Debian 13, unpacked in ENGINE_DIR for the next target
	@PYTHONPATH=build_scripts python3 -m tests.support.docker_engine $(ENGINE_DIR)

ENGINE_TESTS = tests/functional/novadocker

.PHONY: test-engine-26
test-engine-26: tools engine-26 ## novadocker's functional tests on it, with the containerd image store
	@FPGA_NOVA_TEST_ENGINE=26 .tools/bin/tox -e functional -- $(ENGINE_TESTS) $(TEST_ARGS)

.PHONY: matrix
matrix: tools ## the diffs on all releases of Nova, and the tests of each series, the chain (hours)
	@$(play) test_needs.yml
	@.tools/bin/tox -e matrix -- full $(SERIES)

.PHONY: nova-servers
nova-servers: tools ## Nova's own functional tests of servers and ports, as shipped and patched
	@$(play) test_needs.yml
	@.tools/bin/tox -e matrix -- servers $(if $(LIKE),--like '$(LIKE)') $(SERIES)

.PHONY: chain
chain: tools ## a cloud that goes through five releases, and patched beside stock services
	@$(play) test_needs.yml
	@.tools/bin/tox -e matrix -- chain

.PHONY: matrix-quick
matrix-quick: tools ## every diff applied, compiled and taken back on the release it is named for
	@.tools/bin/tox -e matrix

.PHONY: e2e
e2e: demo-up ## end-to-end tests on the demo cloud
	@$(e2e) tests/e2e/test_walk.py tests/e2e/test_api.py tests/e2e/test_errors.py \
		tests/e2e/test_networks.py tests/e2e/test_living_guests.py tests/e2e/test_snapshots.py \
		tests/e2e/test_network_kills.py

.PHONY: e2e-programs
e2e-programs: demo-up ## programs, claims, OpenCL, and the first boot of a new bitstream on the demo cloud
	@$(e2e) tests/e2e/test_first_boot.py tests/e2e/test_programs.py tests/e2e/test_claims.py \
		tests/e2e/test_opencl.py tests/e2e/test_service_kills.py tests/e2e/test_opencl_kills.py

.PHONY: e2e-opencl
e2e-opencl: demo-up ## a container with a region of OpenCL on the demo cloud
	@$(e2e) tests/e2e/test_opencl.py

.PHONY: e2e-ml2-ovs
e2e-ml2-ovs: demo-up ## networks of a Neutron with ML2/OVS, in the place of the demo's ML2/OVN
	@$(e2e) tests/e2e/test_ml2_ovs.py

.PHONY: tempest
tempest: demo-up ## tempest, OpenStack's own tests, on the demo cloud (40 minutes)
	@$(play) tempest_needs.yml
	@.tools/bin/tox -e tempest -- $(DEMO_DIR) $(ROOTS_DIR) all $(TEMPEST_ARGS)

.PHONY: tempest-smoke
tempest-smoke: demo-up ## a small part of it
	@$(play) tempest_needs.yml
	@.tools/bin/tox -e tempest -- $(DEMO_DIR) $(ROOTS_DIR) smoke

.PHONY: faults
faults: demo-up ## nova-compute killed at every point of every path, 200 servers at once (an hour)
	@FPGA_NOVA_ALL_POINTS=1 $(e2e) -s tests/e2e/test_crashes.py tests/e2e/test_contention.py \
		tests/e2e/test_turns.py tests/e2e/test_outages.py tests/e2e/test_api_outages.py \
		tests/e2e/test_living_guests.py tests/e2e/test_networks.py \
		tests/e2e/test_network_faults.py tests/e2e/test_network_kills.py \
		tests/e2e/test_service_kills.py tests/e2e/test_opencl_kills.py

.PHONY: e2e-distro
e2e-distro: deb distro-needs ## the same on Debian's own Nova: docs/install.md followed, upgraded, taken back
	@$(distro) cloud $(DISTRO_DIR) $(SUITE)

.PHONY: e2e-package
e2e-package: deb distro-needs ## the Debian package installed, Nova upgraded around it, the package removed
	@$(distro) package $(DISTRO_DIR) $(SUITE)

.PHONY: distro-needs
distro-needs: tools
	@$(play) distro_needs.yml

.PHONY: distro-clean
distro-clean: ## remove what these two keep for the next run
	rm -rf --one-file-system $(DISTRO_DIR)

.PHONY: bench
bench: demo-up ## boots with and without an FPGA region, and the cloud's memory
	@PYTHONDONTWRITEBYTECODE=1 $(cloud_python) benchmarks/boot.py $(DEMO_DIR)

.PHONY: bench-network
bench-network: demo-up ## plug and unplug, traffic between containers, boots with and without a network
	@$(play) bench_needs.yml
	@PYTHONDONTWRITEBYTECODE=1 $(cloud_python) benchmarks/network.py $(DEMO_DIR)

.PHONY: bench-network-hosts
bench-network-hosts: tools ## TCP between containers on two local hosts, beside bare namespaces there
	@build_scripts/dev.sh
	@$(e2e_cloud) tests/cloud/test_traffic.py

.PHONY: bench-boots
bench-boots: demo-up ## a burn beside a network, 20 boots at once, and the first byte out of a region
	@PYTHONDONTWRITEBYTECODE=1 $(cloud_python) benchmarks/boots.py $(DEMO_DIR)

.PHONY: bench-cyborg
bench-cyborg: demo-up ## boots with an FPGA region, with a device of Cyborg's, and with neither
	@PYTHONDONTWRITEBYTECODE=1 $(cloud_python) benchmarks/cyborg.py $(DEMO_DIR)

.PHONY: bench-programs
bench-programs: demo-up ## programs beside burns, and claims beside Cyborg's accelerator requests
	@PYTHONDONTWRITEBYTECODE=1 $(cloud_python) benchmarks/programs.py $(DEMO_DIR)

.PHONY: bench-api
bench-api: tools ## availability of 1,000 hosts counted and answered, beside OpenstackGPUService's way
	@.tools/bin/tox -q -e functional --notest
	@.tox/functional/bin/fpga-patch apply >/dev/null
	@PYTHONDONTWRITEBYTECODE=1 .tox/functional/bin/python -W ignore benchmarks/api.py

.PHONY: bench-live
bench-live: tools ## live images: first answers beside cold starts and docker checkpoint, memory of 20 servers
	@$(play) live_needs.yml
	@.tools/bin/tox -q -e functional --notest
	@.tox/functional/bin/fpga-patch apply >/dev/null
	@PYTHONDONTWRITEBYTECODE=1 .tox/functional/bin/python -W ignore benchmarks/live_images.py $(BENCH_ARGS)

.PHONY: bench-live-boots
bench-live-boots: demo-up ## boots of live images on the demo, with Nova's own time apart
	@PYTHONDONTWRITEBYTECODE=1 $(cloud_python) benchmarks/live_boots.py $(DEMO_DIR)

.PHONY: bench-opencl
bench-opencl: tools ## OpenCL by a worker, beside the same device in the program's own process
	@$(play) test_needs.yml
	@.tools/bin/tox -q -e unit --notest
	@PYTHONDONTWRITEBYTECODE=1 .tox/unit/bin/python benchmarks/opencl.py

.PHONY: bench-opencl-afar
bench-opencl-afar: tools ## OpenCL from afar, beside the original's way, a bare TLS socket and a slow link
	@$(play) test_needs.yml
	@.tools/bin/tox -q -e unit --notest
	@PYTHONDONTWRITEBYTECODE=1 .tox/unit/bin/python -W ignore benchmarks/opencl_afar.py $(BENCH_ARGS)

.PHONY: pocl-tests
pocl-tests: tools ## the programs of pocl's own tests, by a worker and by pocl itself; needs pocl-source
	@$(play) test_needs.yml
	@.tools/bin/tox -q -e unit --notest
	@PYTHONDONTWRITEBYTECODE=1 .tox/unit/bin/python benchmarks/pocl_tests.py

# By which way `make opencl-suites` runs (worker or afar), and which suites; without a word all.
WAY ?= worker
SUITES ?=

.PHONY: opencl-suites
opencl-suites: tools ## pyopencl's and CLBlast's tests and clpeak, by a worker or WAY=afar, and by pocl itself
	@$(play) test_needs.yml
	@$(play) suites_needs.yml
	@.tools/bin/tox -q -e unit,suites --notest
	@PYTHONDONTWRITEBYTECODE=1 .tox/unit/bin/python -W ignore benchmarks/opencl_suites.py \
		--python .tox/suites/bin/python --way $(WAY) $(SUITES)

.PHONY: opencl
opencl: ## libfpga-opencl.so, and what containers need beside it, in build/opencl
	@$(MAKE) --no-print-directory -C fpga_opencl/icd OUT=$(CURDIR)/build/opencl container

.PHONY: dist
dist: tools ## sdist, wheel and its bill of materials in dist/, checked as for a release
	@build_scripts/dist.sh dist

.PHONY: deb
deb: tools ## the Debian package, in dist/
	@build_scripts/build_deb.sh dist

.PHONY: deb-opencl
deb-opencl: ## the Debian packages of OpenCL for hosts and for images, in dist/
	@build_scripts/build_opencl_deb.sh dist
