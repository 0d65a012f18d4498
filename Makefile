# The commands of this project. `make` alone lists them.
.DEFAULT_GOAL := help
SHELL := /bin/sh
.PHONY: help setup setup-demo build demo test bench ci fmt doc clean

# The protobuf tree of the SQL parser needs more stack than a test thread has by default.
export RUST_MIN_STACK ?= 8388608

help: ## Lists these commands
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/make \1\t\2/p' Makefile | expand -t 16

setup: ## Installs what is missing (apt, and clients for the tests into .cache/)
	@tests/support/setup

setup-demo:
	@tests/support/setup demo

build: setup-demo ## Builds the release binary, target/release/tidegate
	scripts/with-profile cargo build --release --locked

demo: setup-demo ## Starts PostgreSQL, MariaDB and the gateway, and says what to try (ARGS=--tour plays it)
	@demo/run $(ARGS)

test: setup ## Runs every test, against real servers and real clients
	@tests/support/test $(ARGS)

bench: setup ## Micro benches, then side by side with PgBouncer and, for MySQL, with HAProxy
	scripts/with-profile cargo bench --locked
	@benches/peers/run $(ARGS)

ci: ## What CI runs: formatting, lints, docs, dependencies, tests
	@.ci/run

fmt: ## Formats the code
	cargo fmt

doc: ## Builds the documentation of the code
	cargo doc --no-deps --locked

clean: ## Removes what was built and installed here
	rm -rf target .cache .demo
