# Each recipe is one or two lines; longer ones are scripts in tools/. `make` alone lists the targets.
.DEFAULT_GOAL := help
.PHONY: help run test t check soak fuzz mutants bench bench-engine bench-peers openapi layer layer-update lambda arm64 lambda-vm e2e-aws build dist fmt

help: ## List the targets
	@sed -n 's/^\([a-z0-9-]*\):.*## \(.*\)/\1|\2/p' $(MAKEFILE_LIST) | while IFS='|' read -r name text; do printf '  %-14s %s\n' "$$name" "$$text"; done

# The examples need a page of another origin, and objects that are uploaded without the API.
run: export ALLOWED_ORIGINS ?= http://localhost:5173
run: export INCOMING_PREFIX ?= incoming/
run: ## Install what is missing, build, start the service, print its address (ARGS="--help" lists the options)
	@tools/install run
	@tools/engine build || echo "The snapshot engine could not be built: clamd is used, which takes longer to start."
	PATH="$(CURDIR)/target/engine:$$PATH" cargo run --profile local --package airlock -- local $(ARGS)

test: ## Install what the tests need and run all of them
	@tools/install test
	tools/engine build && tools/lambda && tools/test && tools/engine test && tests/browser/run && tests/container/run

t: ## Build and test one crate alone: make t P=scan [ARGS=lease] (the functions need no ClamAV)
	@test -n "$(P)" || { echo 'Which crate? For example: make t P=scan' >&2; exit 2; }
	@tools/test --package "$(P)" $(ARGS)

check: ## Check format, lints, documentation, licences and the SAM template
	@tools/install check
	tools/check && tools/template/check

soak: ## Run the tests with large counts (docs/testing.md); takes hours
	@tools/install soak
	tools/engine build && cargo build --quiet --package airlock && (cd tests/browser && npm ci --silent && node large.mjs $${CARGO_TARGET_DIR:-../../target}/debug/airlock "$$(../../tools/venv peer)/bin/python")
	SOAK=1 tools/test --no-capture -E 'test(/backfill|crash|start|engine|freeze|equality|openers|readers|ordinary|rescans|schemathesis/)'
	SOAK=1 tools/engine test nothing_grows
	deploy/deb/check $${CARGO_TARGET_DIR:-target}/debug/airlock target/engine/airlock-engine
	$(MAKE) lambda-vm

fuzz: ## Fuzz the gate, the engine's replies and the queue's messages, ten minutes for each test
	tools/fuzz

mutants: ## Run cargo-mutants on the gate, the codec, the verdict and the event decoder; takes hours
	tools/mutants

bench: ## Measure the pipeline and the gate (bench/README.md)
	@tools/install test
	cargo build --quiet --profile local --package bench && for what in pipeline gate; do cargo run --quiet --profile local --package bench -- $$what; done

bench-engine: ## Measure the snapshot engine beside clamd and clamscan
	@tools/install bench
	cargo run --quiet --package bench -- engine

bench-peers: ## Compare the pipeline with clamd, a REST server and the design that it replaces
	@tools/install peers
	tools/engine build && cargo build --quiet --release --package airlock && cargo run --quiet --package bench -- peers $${CARGO_TARGET_DIR:-target}/release/airlock test,full

openapi: ## Regenerate openapi.json from the code
	UPDATE=1 tools/test -E 'test(the_committed_description)'

layer: ## Build the ClamAV layer for Lambda, for both architectures, in target/layer
	@tools/install layer
	for arch in x86_64 arm64; do clamav-layer/build.py build $$arch target/layer/$$arch; done

layer-update: ## Update clamav-layer/packages.lock to Debian 12's newest packages
	@tools/install layer
	clamav-layer/build.py lock

lambda: ## Build the functions as Lambda runs them, in target/lambda
	tools/lambda

arm64: ## Build the functions and the layer for arm64, and check their sizes and the C library that they need
	@tools/install layer && tools/install test
	tools/lambda arm64
	tools/test -E 'test(/^(packages|layer)::/)'

lambda-vm: arm64 ## Run the layer's engine and the scan function in emulated machines like Lambda's, for both architectures
	@tools/install test && tools/install lambda-vm
	tools/lambda && tests/lambda_vm/run x86_64 5.10 target/layer/x86_64 && tests/lambda_vm/run arm64 6.1 target/layer/arm64
	SOAK=1 tools/test --no-capture -E 'test(/^lambda_vm::/)'

e2e-aws: ## Send files through a stack on AWS (STACK=airlock TOKEN=..., docs/deploy.md)
	"$$(tools/venv peer)/bin/python" tests/deploy/aws.py "$(STACK)" "$(TOKEN)"

build: ## Build the workspace
	cargo build --workspace

dist: ## Build what is published: programs, the Debian package, the npm and Python packages, in target/dist
	tools/dist/all

fmt: ## Format the workspace
	cargo fmt --all
