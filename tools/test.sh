#!/usr/bin/env bash
# All tests, from nothing but Go, Node and the registries: it installs what it
# needs, says loudly what it could not run, and fails where CI=true forbids that.
#
#   bash tools/test.sh            everything
#   bash tools/test.sh go         Go tests, plain and with the race detector
#   bash tools/test.sh lint       format, linters, module hygiene, vulnerabilities
#   bash tools/test.sh fuzz       a few seconds of every fuzz target
#   bash tools/test.sh packages   the npm packages: types, tests, form, sizes
#   bash tools/test.sh browser    SDKs, demo and Next.js app in headless Chromium
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
want=${1:-all}
case $want in
  all | go | lint | fuzz | packages | browser) ;;
  *)
    echo "tools/test.sh: there is no part '$want': take go, lint, fuzz, packages or browser, or none for everything" >&2
    exit 2
    ;;
esac
started=$SECONDS
summary=()

step() { # step NAME COMMAND...
  local name=$1 from=$SECONDS
  shift
  printf '\n== %s\n' "$name"
  "$@"
  summary+=("$(printf '%5ds  %s' $((SECONDS - from)) "$name")")
}

wants() { [ "$want" = all ] || [ "$want" = "$1" ]; }

loud() { printf '\n!!! NOT RUN: %s\n\n' "$*" >&2; summary+=("    !!  not run: $*"); }

need() { # need COMMAND DEBIAN-PACKAGE
  command -v "$1" >/dev/null && return
  if command -v apt-get >/dev/null; then
    local sudo=
    [ "$(id -u)" = 0 ] || sudo=sudo
    $sudo apt-get update -q >/dev/null
    DEBIAN_FRONTEND=noninteractive $sudo apt-get install -qy --no-install-recommends "$2" >/dev/null
  fi
  command -v "$1" >/dev/null && return
  loud "$1 is missing; install the package $2"
  [ "${CI:-}" != true ]
}

servers() { # the real ones, which the tests start for themselves
  need redis-server redis-server
  need git git
  # The proxies and the unit of the guides to production.
  need nginx nginx-light
  need caddy caddy
  need systemd-analyze systemd
  # Debian keeps PostgreSQL's programs out of PATH.
  compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || need initdb postgresql || compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null
}

tool() { (cd tools && go build -o "$root/.claviger/bin/$1" "$2"); }

lint() {
  mkdir -p .claviger/bin
  tool golangci-lint github.com/golangci/golangci-lint/v2/cmd/golangci-lint
  .claviger/bin/golangci-lint run ./...
  go mod verify >/dev/null
  go mod tidy -diff
}

vulnerabilities() {
  tool govulncheck golang.org/x/vuln/cmd/govulncheck
  local log=.claviger/govulncheck.log
  if .claviger/bin/govulncheck ./... >"$log" 2>&1; then
    tail -n 1 "$log"
  elif grep -q 'fetching vulnerabilities' "$log"; then
    # No tool is missing, and no finding is hidden: the database is a service
    # on the network that this machine does not reach.
    loud "govulncheck: its database is out of reach from here ($(tail -n 1 "$log" | cut -c1-120))"
  else
    cat "$log"
    return 1
  fi
}

fuzz() {
  local target pkg bin=$root/.claviger/bin/fuzz.test cache
  cache=$(go env GOCACHE)/fuzz
  grep -rlE '^func Fuzz' --include='*_test.go' . | xargs -n1 dirname | sort -u | while read -r pkg; do
    # The tests of the simulator link OpenAI's SDK, and to build that for fuzzing
    # takes minutes. No stranger reaches it: its targets are for long runs.
    if [ "$pkg" = ./openaitest ] && [ -z "${FUZZTIME:-}" ]; then continue; fi
    # Built once a package: `go test` would link anew for every target.
    go test -c -fuzz=. -o "$bin" "$pkg"
    grep -hoE '^func Fuzz[A-Za-z0-9_]+' "$pkg"/*_test.go | sed 's/^func //' | while read -r target; do
      printf '%s %s: ' "$pkg" "$target"
      # A worker that is still busy when the time is up is reported as a failure
      # of its own ("context deadline exceeded"), with no input that failed.
      (cd "$pkg" && "$bin" -test.run '^$' -test.fuzz "^$target\$" -test.fuzztime "${FUZZTIME:-2s}" -test.fuzzminimizetime 5x \
        -test.fuzzcachedir "$cache/claviger.dev/claviger/${pkg#./}") >.claviger/fuzz.log 2>&1 </dev/null ||
        { grep -q 'context deadline exceeded' .claviger/fuzz.log && ! grep -q 'Failing input' .claviger/fuzz.log; } ||
        { cat .claviger/fuzz.log; exit 1; }
      grep -q 'no fuzz tests to fuzz' .claviger/fuzz.log && { echo 'not found'; exit 1; }
      { grep -oE 'execs: [0-9]+' .claviger/fuzz.log || echo 'its seeds alone'; } | tail -n 1
    done
  done
}

packages() {
  need npm npm
  (
    cd packages
    npm ci --prefer-offline --no-audit --no-fund --loglevel=error
    npm run --silent build
    npm test --silent
    npm run --silent check
  )
}

browser() {
  need chromium chromium
  need npm npm
  # The example takes the packages as they would be published: copies of what is built.
  (cd packages && npm ci --prefer-offline --no-audit --no-fund --loglevel=error && npm run --silent build:types)
  rm -rf {examples/nextjs,e2e/nextapp}/node_modules/@claviger
  (cd e2e && npm install --no-save --no-audit --no-fund --loglevel=error)
  # Beside the example's own packages what the files of init are compiled with.
  (cd examples/nextjs && npm install --no-save --no-audit --no-fund --loglevel=error typescript@5.9.3 @types/node@26.6.6 @types/react@19.3.0 \
    @supabase/ssr@0.12.7 @supabase/supabase-js@2.119.1)
  (cd e2e/nextapp && npm install --no-save --no-audit --no-fund --loglevel=error)
  CLAVIGER_E2E=1 go test -count=1 -timeout 15m ./e2e/...
  CLAVIGER_E2E=1 go test -count=1 -run 'Next(Leaky|Clean)' ./check
}

mkdir -p .claviger
if wants go; then
  step 'servers that tests start' servers
  step 'build' go build ./...
  step 'go test ./...' go test -timeout 20m ./...
  step 'go test -race ./...' go test -race -timeout 20m ./...
fi
wants packages && step 'npm packages' packages
wants browser && step 'SDKs, demo and Next.js in a browser' browser
if wants lint; then
  step 'linters and module hygiene' lint
  step 'known vulnerabilities' vulnerabilities
fi
wants fuzz && step 'fuzz smoke' fuzz

printf '\n== summary\n'
printf '%s\n' "${summary[@]}"
printf '%5ds  in all\n' $((SECONDS - started))
