#!/usr/bin/env bash
# Measures `claviger check` on a tree and on a history of 10,000 commits, beside gitleaks where it is installed.
# Usage: bench/check/run.sh [FOLDER]   (a project to check; without one, the example of this repository)
set -euo pipefail
cd "$(dirname "$0")/../.."
[ -x /usr/bin/time ] || { echo "GNU time is missing: apt-get install time" >&2; exit 2; }
tree=$(realpath "${1:-examples/nextjs}")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
go build -o "$work/claviger" ./cmd/claviger
go run ./bench/check/history >"$work/history.fi"
git init -q "$work/repo"
git -C "$work/repo" fast-import --quiet <"$work/history.fi"
git -C "$work/repo" symbolic-ref HEAD refs/heads/main
git -C "$work/repo" reset -q --hard

# measure NAME BYTES COMMAND… prints wall, CPU, peak memory and the rate.
measure() {
	local name=$1 bytes=$2
	shift 2
	/usr/bin/time -o "$work/time" -f '%e %U %S %M' "$@" >/dev/null 2>&1 || true
	tail -n 1 "$work/time" | awk -v n="$name" -v b="$bytes" '{printf "%-36s %7.2f s wall %7.2f s CPU %6.0f MB peak %7.1f MB/s\n", n, $1, $2+$3, $4/1024, b/1e6/$1}'
}

echo "$(nproc) processors, load $(cut -d' ' -f1 /proc/loadavg)"
bytes=$(find "$tree" -type f -not -path '*/node_modules/*' -not -path '*/.git/*' -printf '%s\n' | awk '{s+=$1} END {print s+0}')
patch=$(git -C "$work/repo" log -p --all --format= | wc -c)
echo "tree: $tree, $((bytes / 1000000)) MB; history: 10,000 commits, $((patch / 1000000)) MB of patches"
measure "claviger, example, cold" 0 "$work/claviger" check --history=false examples/nextjs
measure "claviger, tree" "$bytes" "$work/claviger" check --history=false "$tree"
measure "claviger, history" "$patch" "$work/claviger" check "$work/repo"
if command -v gitleaks >/dev/null; then
	measure "gitleaks, tree" "$bytes" gitleaks dir "$tree" --no-banner --exit-code 0
	measure "gitleaks, history" "$patch" gitleaks git "$work/repo" --no-banner --exit-code 0
else
	echo "gitleaks is not installed: go install github.com/zricethezav/gitleaks/v8@latest"
fi
