package sqlite_test

import (
	"testing"

	"claviger.dev/claviger/store/internal/sqldbtest"
)

func BenchmarkStore(b *testing.B) {
	sqldbtest.Bench(b, func(b *testing.B) sqldbtest.Benched { return open(b, path(b)) })
}
