TARGET ?= $(or $(CARGO_TARGET_DIR),target)
BINARY := $(TARGET)/release/headwater
NPM ?= $(shell command -v npm)

.PHONY: run test clients kill9 budget bench build soak fuzz full-disk bench-recovery bench-micro power-cut history cold-reads docs docs-check examples-check crowd challenges spark wheelhouse cluster mirror

# The broker on 127.0.0.1:9092 with its four streams, the pages beside it. It prints where to go.
run: build
	@exec $(BINARY)

# One static file, without the system's C library: it starts sooner, holds less memory, and runs in an empty image. At a fixed address,
# as nothing has to be relocated then: half a megabyte less. Heap, stacks and maps are at random ones all the same.
# CFLAGS reach the client library of other clusters, which is small rather than fast; other libraries in C have TARGET_CFLAGS behind them.
build: $(if $(NPM),web/dist/index.html.gz,without-dashboard)
	HEADWATER_DASHBOARD=$$(ls web/dist/index.html.gz 2>/dev/null) CFLAGS="-Os -fno-asynchronous-unwind-tables" TARGET_CFLAGS=-O3 \
	cargo rustc --release --locked --bin headwater -- -C target-feature=+crt-static -C relocation-model=static

# The dashboard, compressed, for the binary to carry. What goes wrong here leaves a broker that serves everything but the dashboard.
web/dist/index.html.gz: web/node_modules/.package-lock.json $(shell find web/src web/public -type f) web/index.html web/vite.config.ts
	cd web && npm run --silent build || echo "The dashboard could not be built; the broker serves everything else."

web/node_modules/.package-lock.json: web/package-lock.json
	cd web && npm ci --silent || echo "What the dashboard is built with could not be installed."

# Types of the dashboard and its tests, those made from the HTTP interface, the contrast of its colours.
check-dashboard: web/node_modules/.package-lock.json
	cd web && npm run --silent check && npm run --silent contrast -- --check
	mkdir -p target && cd web && npx openapi-typescript ../docs/openapi.json --output ../target/types.ts >/dev/null && cmp ../target/types.ts src/api/types.ts

# Every page and act in real Chromium, with pictures in target/browser.
browser: build
	python3 tests/browser/run.py --binary $(BINARY)

.PHONY: without-dashboard check-dashboard browser
without-dashboard:
	@ls web/dist/index.html.gz >/dev/null 2>&1 || \
	echo "There is no npm here, so the dashboard is left out; everything else is served. Install Node.js 20 or later for it."

# The container image, web app and program built inside it; docker/README.md says what to do with it.
image:
	docker/build.sh

# The image with this binary, started and killed over and over. Needs buildah, podman and runc.
image-check: build
	python3 tests/image/run.py --binary $(BINARY)

# What a release consists of: archive, wheel, list of what is compiled in, checksums.
dist: build
	python3 docker/dist.py --binary $(BINARY) --into target/dist

dist-check: build
	python3 tests/dist/run.py --binary $(BINARY)

.PHONY: image image-check dist dist-check

# Format, lints, Rust tests, the real clients, kill -9; one summary at the end.
test:
	python3 tests/everything.py

clients: build
	python3 tests/clients/run.py --binary $(BINARY)

# Instructions a record under valgrind, against tests/budget/budget.toml.
budget: build
	python3 tests/budget/instructions.py --binary $(BINARY)

# Everything in docs/ that is made from the code, with the day that is measured; fails if a row of it is out of its bounds.
docs:
	UPDATE_DOCS=1 cargo test --locked --lib -- data_docs page
	UPDATE_DOCS=1 cargo test --locked --test wire_support
	UPDATE_DOCS=1 cargo test --locked --test http_routes --test http_openapi
	python3 student/troubleshooting.py

# Every code block of README.md and docs/ by its mark, every link, the templates with real clients.
docs-check: build
	python3 tests/docs/run.py --binary $(BINARY)

# The example of a course's repository in docs/examples/ci: its script, its workflow, and what its user may do wrong.
examples-check: build
	python3 tests/examples/run.py --binary $(BINARY)

# Every solution, starter and wrong solution of the Python challenges, with real clients, in one town; SEED and DIRT choose it.
challenges: build
	python3 tests/challenges/run.py --binary $(BINARY)

# A class on three Apache Kafka brokers, of which one dies in the middle. Needs Java and Maven.
cluster: build
	python3 tests/cluster/run.py --binary $(BINARY)

# Topics, configs and offsets from Headwater to Apache Kafka and back, with kill -9 in between.
mirror: build
	python3 tests/mirror/run.py --binary $(BINARY)

# Python with PySpark, and the jars of Kafka and Delta, below .cache, as the Spark challenges want them. A second time it costs seconds.
spark:
	python3 tests/spark/stack.py

# The packages that students install, in the folder wheelhouse, for Windows, macOS and Linux: what serve --wheelhouse takes.
# BOARD=1: also those of the dashboard of C3. SPARK=1: also Spark's. PYTHONS="3.12" in place of 3.11, 3.12 and 3.13.
wheelhouse:
	python3 student/wheelhouse.py --into wheelhouse $(if $(BOARD),--board) $(if $(SPARK),--spark) $(foreach version,$(PYTHONS),--python $(version))

# Ten thousand connections over TLS and SCRAM, idle, and back after a kill -9.
crowd:
	CROWD=10000 cargo test --release --locked --test crowd -- --nocapture

# Each fuzz target for FUZZ_SECONDS (60 without).
fuzz:
	python3 fuzz/run.py

kill9: build
	python3 tests/durability/kill9.py --binary $(BINARY)

# A million crash states, with the overflow checks and assertions of a debug build; 200 cuts of the power; cold readers on a slow disk;
# a quarter of an hour of real clients and faults; all challenges in nine towns; the image 100 times. It takes an hour and a half, and root for all but the first.
soak: build
	HEADWATER_SIM_STATES=1000000 cargo test --locked --test crash_simulator -- --nocapture
	$(MAKE) power-cut
	$(MAKE) cold-reads
	$(MAKE) history SECONDS_OF_FAULTS=900
	HEADWATER_ALL_TOWNS=1 cargo test --locked --test spark_truths
	python3 tests/challenges/run.py --binary $(BINARY) --matrix
	python3 tests/spark/run.py --binary $(BINARY) --all
	python3 tests/image/run.py --binary $(BINARY) --starts 100

# Many readers of records that only a slow disk has, while another request comes every 5 ms. Needs root and cgroups of version 1.
cold-reads: build
	python3 tests/soak/cold_reads.py --binary $(BINARY) --folder $(TARGET)

# Real clients while the broker is killed, stopped, cut off and its disk filled; then everything they saw is checked.
# SECONDS_OF_FAULTS is 300 without. The full disk needs root and is left out otherwise.
history: build
	python3 tests/soak/history.py --binary $(BINARY) --seconds $(or $(SECONDS_OF_FAULTS),300)

# Cuts the power of file systems under a running broker. Needs root, loop devices, xfsprogs, e2fsprogs and btrfs-progs.
power-cut: build
	python3 tests/soak/power_cut.py --binary $(BINARY)

# Headwater beside Apache Kafka, kfake and noida-db, with one client. QUICK=1: one short round, the page stays as it is.
# BIG=1: also kill -9 with 10 GB.
bench: build
	python3 benches/peers/run.py --binary $(BINARY) $(if $(QUICK),--quick,--page docs/benchmarks.md) $(if $(BIG),--big)

# Append, fetch, recovery, guard beside codec, coordinator and generators, each alone. QUICK=1: few samples.
bench-micro:
	cargo bench --locked --bench log --bench guard --bench coordinator --bench generators -- $(if $(QUICK),--quick)

# Mounts a small file system, so it needs root.
full-disk:
	cargo test --locked --test full_disk -- --ignored --nocapture

# Time from kill -9 to the first answer for a log of 1 GB and of 10 GB. Takes 11 GB of disk for some minutes.
bench-recovery: build
	python3 tests/durability/recovery.py --binary $(BINARY) --folder $(TARGET)
