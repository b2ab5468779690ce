package testnet

import (
	"fmt"
	"os"
	"testing"
)

// Lacking skips a test that lacks a tool, with a word on standard error. Under
// CI=true it fails.
func Lacking(tb testing.TB, why string) {
	tb.Helper()
	if os.Getenv("CI") == "true" {
		tb.Fatal(why)
	}
	fmt.Fprintf(os.Stderr, "\n*** %s is SKIPPED and proves nothing: %s\n\n", tb.Name(), why)
	tb.Skip(why)
}
