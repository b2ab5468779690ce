package gateway_test

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"testing/iotest"

	"claviger.dev/claviger/gateway"
)

// TestGather: a body is read whole whatever length it declares, and in whatever
// pieces it comes.
func TestGather(t *testing.T) {
	errBroken := errors.New("broken")
	for _, size := range []int{0, 1, 4<<10 - 1, 4 << 10, 4<<10 + 1, 256<<10 - 1, 256 << 10, 256<<10 + 1, 1<<20 + 3} {
		want := make([]byte, size)
		for i := range want {
			want[i] = byte(i >> 3)
		}
		for _, declared := range []int64{-1, 0, int64(size), int64(size) + 5, 1 << 40} {
			for how, r := range map[string]io.Reader{
				"whole": bytes.NewReader(want), "halves": iotest.HalfReader(bytes.NewReader(want)), "with the end": iotest.DataErrReader(bytes.NewReader(want)),
			} {
				got, err := gateway.Gather(r, declared)
				if err != nil || !bytes.Equal(got, want) {
					t.Errorf("%d bytes, %d declared, %s: %d bytes, %v", size, declared, how, len(got), err)
				}
			}
			got, err := gateway.Gather(io.MultiReader(bytes.NewReader(want), iotest.ErrReader(errBroken)), declared)
			if !errors.Is(err, errBroken) || got != nil {
				t.Errorf("%d bytes, %d declared, then broken: %d bytes, %v", size, declared, len(got), err)
			}
		}
	}
}
