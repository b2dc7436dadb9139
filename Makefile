# SPDX-License-Identifier: Apache-2.0
# A thin front for CMake and tools/. `make help` lists what there is.
B ?= all
S ?= 60
T ?= json
PREFIX ?= /usr/local

build: ## build the product (build/, release)
	@tools/deps build
	@TARGET=product tools/gate build Release

run: build ## build, start the demo, print its address
	@exec tools/run-demo

test: ## build everything, run every test, close with "N passed, N failed"
	@tools/deps build test
	@tools/gate build Release
	@tools/run-tests --build build

check: lint test asan tsan ## all gates: lint, tests, ASan+UBSan, TSan

asan: ## every test under AddressSanitizer and UndefinedBehaviorSanitizer (build-asan/)
	@tools/deps build test check
	@tools/gate build-asan Debug -DSOSIA_SANITIZE=address
	@tools/run-tests --build build-asan --scale 4

tsan: ## tests of threaded parts under ThreadSanitizer (build-tsan/, clang)
	@tools/deps build test check
	@CC=clang CXX=clang++ tools/gate build-tsan Debug -DSOSIA_SANITIZE=thread
	@tools/run-tests --build build-tsan --label threads --scale 6

lint: ## floors, banned calls, contracts, formatting, generated documents
	@tools/deps test check
	@tools/lint

fmt: ## format every C file
	@tools/deps check
	@git ls-files -co --exclude-standard '*.c' '*.h' | xargs -r clang-format -i

cov: ## tests with coverage, by folder (build-cov/)
	@tools/deps build test cov
	@tools/cov

fuzz: ## fuzz one parser: make fuzz T=json S=60 (build-fuzz/, clang)
	@tools/deps build check
	@tools/fuzz $(T) $(S)

bench: ## benches of a group as JSON lines: make bench B=world|store|query|serve|json|...|all
	@tools/deps build bench >&2
	@tools/bench $(B)

fresh: ## `make test` and `make run` in a new minimal Debian 12 (build-fresh/, needs root)
	@tools/deps fresh
	@tools/fresh

install: build ## install the command and the headers: make install PREFIX=/usr/local DESTDIR=
	@cmake --install build --prefix $(PREFIX)

clean: ## remove every build folder
	@rm -rf build build-*

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/\1@\2/p' Makefile | while IFS=@ read -r name text; do \
		printf '  make %-9s %s\n' "$$name" "$$text"; done

.PHONY: build run test check asan tsan lint fmt cov fuzz bench fresh install clean help
