package netx

import (
	"errors"
	"io"
)

// ErrTooLarge says that a body is longer than it may be.
var ErrTooLarge = errors.New("body over the limit")

// ReadAll reads r to its end, and fails with ErrTooLarge as soon as there is
// more than limit bytes. hint is the expected length, or anything that is not
// positive when it is not known; it saves growing and is not trusted beyond
// 1 MiB.
func ReadAll(r io.Reader, limit, hint int64) ([]byte, error) {
	size := min(limit, 1<<20)
	if hint <= 0 {
		size = min(size, 4096)
	} else {
		size = min(size, hint)
	}
	buf := make([]byte, 0, size+1) // one more, so that EOF is seen without growing
	for {
		n, err := r.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		if int64(len(buf)) > limit {
			return nil, ErrTooLarge
		}
		if errors.Is(err, io.EOF) {
			return buf, nil
		}
		if err != nil {
			return nil, err
		}
		if len(buf) == cap(buf) {
			buf = append(buf, 0)[:len(buf)]
		}
	}
}
