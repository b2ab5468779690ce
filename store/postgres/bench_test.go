package postgres

import (
	"testing"

	"claviger.dev/claviger/internal/testnet"
	"claviger.dev/claviger/store/internal/sqldbtest"
)

func BenchmarkStore(b *testing.B) {
	// With fsync, as in production.
	own := &testnet.Postgres{}
	b.Cleanup(own.Stop)
	sqldbtest.Bench(b, func(b *testing.B) sqldbtest.Benched { return open(b, own.URL(b)) })
}
