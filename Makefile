# Each recipe is one or two lines; what is longer is in tools/.
.PHONY: run test t check soak fuzz mutants bench bench-engine openapi layer layer-update lambda e2e-aws build fmt

# What the examples need: a page of another origin, and objects that somebody else stores.
run: export ALLOWED_ORIGINS ?= http://localhost:5173
run: export INCOMING_PREFIX ?= incoming/
run: ## Install what is missing, build, start everything, print the address; ARGS="--help" shows the options
	@tools/install run
	@tools/engine build || echo "The snapshot engine could not be built: clamd is used, which takes longer to start."
	PATH="$(CURDIR)/target/engine:$$PATH" cargo run --package airlock -- local $(ARGS)

test: ## Install what the tests need, run them all
	@tools/install test
	tools/engine build && tools/lambda && tools/test && tools/engine test && tests/browser/run && tests/container/run

t: ## Build and test one crate alone: make t P=scan [ARGS=lease] (the functions need no ClamAV)
	@test -n "$(P)" || { echo 'Which crate? For example: make t P=scan' >&2; exit 2; }
	@tools/test --package "$(P)" $(ARGS)

check: ## Format, lints, documentation, licences, the SAM template
	@tools/install check
	tools/check && tools/template/check

soak: ## The long versions: 100 kills, 1 GB uploads, 220 faults of each engine, 15,000 files that hide malware, every ordinary file, 10,000 rescans, 5,000 requests
	@tools/install test
	tools/engine build && cargo build --quiet --package airlock && (cd tests/browser && npm ci --silent && node large.mjs $${CARGO_TARGET_DIR:-../../target}/debug/airlock "$$(../../tools/venv peer)/bin/python")
	SOAK=1 tools/test --no-capture -E 'test(/crash|start|engine|equality|openers|readers|ordinary|rescans|schemathesis/)'
	SOAK=1 tools/engine test nothing_grows

fuzz: ## The gate, the engine's replies and the queue's messages, fed with any bytes, ten minutes each
	tools/fuzz

mutants: ## Would a test notice? Changes the gate, the codec, the verdict and the event decoder in every way that cargo-mutants knows
	tools/mutants

bench: ## What we claim about speed
	@tools/install test
	cargo build --quiet --package bench && for what in pipeline gate; do cargo run --quiet --package bench -- $$what; done

bench-engine: ## The snapshot engine beside clamd and clamscan
	@tools/install bench
	cargo run --quiet --package bench -- engine

openapi: ## Write openapi.json anew
	UPDATE=1 tools/test -E 'test(the_committed_description)'

layer: ## The ClamAV layer for Lambda, for both architectures, below target/layer
	@tools/install layer
	for arch in x86_64 arm64; do clamav-layer/build.py build $$arch target/layer/$$arch; done

layer-update: ## Write clamav-layer/packages.lock anew, with the newest packages of Debian 12
	@tools/install layer
	clamav-layer/build.py lock

lambda: ## The functions as Lambda runs them, below target/lambda
	tools/lambda

e2e-aws: ## A file's way through a stack on AWS: STACK=airlock TOKEN=... (docs/deploy.md)
	"$$(tools/venv peer)/bin/python" tests/deploy/aws.py "$(STACK)" "$(TOKEN)"

build: ## Build everything
	cargo build --workspace

fmt: ## Format everything
	cargo fmt --all
