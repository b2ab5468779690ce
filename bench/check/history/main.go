// Command history writes a repository of 10,000 commits for git fast-import: each
// changes one of 400 files of code, always in the same way, and none holds a key.
package main

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
)

func main() {
	if err := write(10_000); err != nil {
		fmt.Fprintln(os.Stderr, "history:", err)
		os.Exit(1)
	}
}

func write(commits int) error {
	out := bufio.NewWriter(os.Stdout)
	r := rand.New(rand.NewPCG(1, 2))
	words := strings.Fields("const export function return await import from value index user request response model error list item name string number client server route")
	for i := range commits {
		var text strings.Builder
		for range 120 {
			fmt.Fprintf(&text, "%s %s_%d = %s('%x');\n", words[r.IntN(len(words))], words[r.IntN(len(words))], r.IntN(1000), words[r.IntN(len(words))], r.Uint64())
		}
		fmt.Fprintf(out, "commit refs/heads/main\ncommitter Bench <bench@example.com> %d +0000\ndata 7\nchange\n\nM 100644 inline src/%d/file%d.ts\ndata %d\n%s\n", 1_700_000_000+i, i%20, i%400, text.Len(), text.String())
	}
	return out.Flush()
}
