package gatetest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// Node returns the path of the node program after installing the packages that
// the package.json in dir names, if there is one, into dir's node_modules. It
// is for comparing with the real libraries. Where node or the registry is out
// of reach the test is skipped with a word on standard error, and under CI it
// fails.
func Node(t testing.TB, dir string) string {
	t.Helper()
	node, err := exec.LookPath("node")
	if err != nil {
		lacking(t, "node is not installed")
	}
	wanted, err := os.Stat(filepath.Join(dir, "package.json"))
	if err != nil {
		return node
	}
	if done, err := os.Stat(filepath.Join(dir, "node_modules", ".package-lock.json")); err == nil && !done.ModTime().Before(wanted.ModTime()) {
		return node
	}
	npm, err := exec.LookPath("npm")
	if err != nil {
		lacking(t, "npm is not installed")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, npm, "install", "--no-package-lock", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline", "--legacy-peer-deps", "--loglevel=error")
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		lacking(t, fmt.Sprintf("npm install in %s failed: %v\n%s", dir, err, out))
	}
	return node
}

func lacking(t testing.TB, why string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal(why)
	}
	fmt.Fprintf(os.Stderr, "\n*** %s is SKIPPED and proves nothing: %s\n\n", t.Name(), why)
	t.Skip(why)
}
