# make run           build what the embedded default needs and show the main job; Ctrl-C ends it
# make run-servers   the same on private RabbitMQ, PostgreSQL and Redis servers
# make test          set up everything and run every test
# make build         build/release/iq and build/release/plugins/*.so
# make bench         commands a second of a mixed load, beside a bare loop
# make bench-peers   the same beside programs on other stacks; installs their packages
# make soak          some tests at a size for a long break: 300 replacements, 400 poisons
# make image-test    build the Docker image without Docker, run it under supervisor, feed it
# make dev-start     build the image and start it with all its servers (dev-build, dev-up: one of the
#                    two; dev-down stops them; dev-clear removes what this project has in Docker)
# make asan          unit and integration tests under AddressSanitizer and UBSan
# make format        lay the sources out; make check-format and make lint only look
# make deps          install the Debian packages that all of this needs

# To build the program and to run it embedded.
BUILD_PACKAGES := \
  build-essential cmake ninja-build pkg-config ca-certificates \
  libboost-dev libboost-filesystem-dev librabbitmq-dev libpq-dev libhiredis-dev libsqlite3-dev \
  nlohmann-json3-dev libyaml-cpp-dev libfmt-dev libspdlog-dev libcli11-dev libvalijson-dev \
  libcpp-httplib-dev prometheus-cpp-dev libssl-dev sqlite3
SERVER_PACKAGES := rabbitmq-server redis-server postgresql
# An npm or node that is not Debian's cannot be installed beside it, and serves as well.
TEST_PACKAGES := libgtest-dev libgmock-dev supervisor prometheus clang-format clang-tidy \
  clang libc++-dev libc++abi-dev rustc abigail-tools python3 python3-jsonschema groff-base chromium \
  $(shell command -v node > /dev/null || echo nodejs) $(shell command -v npm > /dev/null || echo npm)

IMAGE_PACKAGES := buildah debootstrap docker-compose curl

SHELL := /bin/bash
SUDO := $(shell [ "$$(id -u)" = 0 ] || echo sudo)
# sdk/iq/abi.h is C and laid out by hand.
SOURCES := $(filter-out sdk/iq/abi.h,$(wildcard host/*.cc host/*.h host/*/*.cc host/*/*.h sdk/iq/*.h \
  plugins/*/*.cc tests/*/*.cc tests/*/*.h bench/*.cc bench/*.h bench/peers/floor/*.cc \
  bench/peers/floor/*.h))

.PHONY: run run-servers test build build-tests bench bench-peers soak asan format check-format \
  lint clean deps build-deps server-deps peer-deps image-deps image-test \
  dev-start dev-build dev-up dev-down dev-clear

build: build-deps
	cmake --preset release -DIQ_TESTS=OFF
	cmake --build --preset release

run: build
	tests/demo.sh

run-servers: build server-deps
	tests/demo.sh servers

build-tests: deps
	cmake --preset release -DIQ_TESTS=ON
	cmake --build --preset release

test: build-tests
	ctest --preset release $(CTEST_FLAGS)

bench: build-tests
	build/release/iq_bench rate --commands 50000 --runs 3 iq:1 iq:2 floor:1 floor:2 embedded:1

# BENCH_FLAGS=--write puts the result into docs/.
bench-peers: build-tests peer-deps
	build/release/iq_bench rate --commands 50000 --runs 5 $(BENCH_FLAGS) \
	  iq:1 iq:2 iq:10 floor:1 floor:2 go:50 symfony:10 celery:10

soak: build-tests
	IQ_SOAK=1 ctest --preset release $(CTEST_FLAGS) --tests-regex 'hot_plugin|crash'

image-test: server-deps image-deps
	docker/image_test.sh

COMPOSE := docker compose --project-name iq --env-file docker/.env -f docker/compose.yaml

docker/.env:
	install -m 600 docker/.env.example $@
	@echo "docker/.env: made from docker/.env.example; change the passwords before anybody else can reach this machine"

dev-start: dev-build dev-up

dev-build: docker/.env
	$(COMPOSE) build

dev-up: docker/.env
	$(COMPOSE) up --detach --wait

dev-down: docker/.env
	$(COMPOSE) down

# Containers, volumes and the image of this project, and of no other.
dev-clear: docker/.env
	$(COMPOSE) down --volumes --remove-orphans --rmi local
	docker image rm iq 2>/dev/null || true

asan: deps
	cmake --preset asan
	cmake --build --preset asan --target iq_quick_tests
	ctest --preset asan $(CTEST_FLAGS) --label-regex 'unit|integration'

format:
	clang-format -i $(SOURCES)

check-format:
	@clang-format --dry-run --Werror $(SOURCES)

# How far the analyzer follows a function's paths: a quarter of its usual depth takes half the time.
ANALYZER_DEPTH := $(addprefix --extra-arg=,-Xclang -analyzer-config -Xclang max-nodes=50000)

# One process a core, without g++'s own flags; headers are looked at with the files that include them.
lint: deps
	cmake --preset dev
	mkdir -p build/lint
	sed 's/-fno-gnu-unique//' build/dev/compile_commands.json > build/lint/compile_commands.json
	printf '%s\n' $(filter host/%.cc plugins/%.cc bench/%.cc,$(SOURCES)) \
	  | xargs -P "$$(nproc)" -n 1 clang-tidy --quiet -p build/lint $(ANALYZER_DEPTH)

deps: PACKAGES = $(BUILD_PACKAGES) $(SERVER_PACKAGES) $(TEST_PACKAGES)
build-deps: PACKAGES = $(BUILD_PACKAGES)
server-deps: PACKAGES = $(SERVER_PACKAGES)
image-deps: PACKAGES = $(IMAGE_PACKAGES)
peer-deps: PACKAGES = $(shell cat bench/peers/*/packages)
# Asks for nothing where everything is installed already.
deps build-deps server-deps image-deps peer-deps:
	@missing=$$(for package in $(PACKAGES); do \
	  dpkg-query -W -f='$${Status}' $$package 2>/dev/null | grep -q 'ok installed' || echo $$package; \
	done); \
	if [ -n "$$missing" ]; then \
	  echo "installing:" $$missing; \
	  $(SUDO) apt-get update -q && \
	  $(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $$missing; \
	fi

clean:
	rm -rf build
