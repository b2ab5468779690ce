package gatetest

import (
	"context"
	"strings"
	"testing"
)

// OpenStore opens a store that is empty, for one test. again opens the same one
// anew after what was opened before it has been closed; it is nil for a store
// whose knowledge is gone with it.
type OpenStore[S any] func(t *testing.T) (s S, again func() S)

// storeCase is one test of a store's suite.
type storeCase[S any] struct {
	name string
	run  func(t *testing.T, s S)
}

func runStore[S any](t *testing.T, open OpenStore[S], cases []storeCase[S]) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			s, _ := open(t)
			c.run(t, s)
		})
	}
}

// hostile are texts that a caller may send where an id belongs.
func hostile() []string {
	return []string{
		"", " ", "\x00", "resp_\x00", "a\x00b", "'; DROP TABLE claviger_objects; --", `" OR ""="`, "$1", "?1", "%", "_", "*", `\`, "NULL",
		"é", "e\u0301", "ﬀ", "\u202Eresp_1", "🗝", "\xff\xfe", "\xed\xa0\x80", "RESP_1", "resp_1 ", " resp_1", "resp_1\n",
		strings.Repeat("x", 1025), strings.Repeat("x", 3000), strings.Repeat("é", 1<<20), "(SELECT id FROM claviger_objects)",
	}
}

func cancelled(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}
