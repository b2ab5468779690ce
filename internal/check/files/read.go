package files

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// MaxText is the largest file that ReadFile reads, in bytes.
const MaxText = 64 << 20

// ErrBinary says that a file holds no text.
var ErrBinary = errors.New("no text")

// ReadFile returns the text of a file below the root as UTF-8: without a byte
// order mark, UTF-16 decoded, bad bytes replaced by U+FFFD.
func (t *Tree) ReadFile(rel string) (string, error) {
	return Read(filepath.Join(t.Root, filepath.FromSlash(rel)), MaxText)
}

// Read reads a file as ReadFile does, up to limit bytes.
func Read(full string, limit int64) (string, error) {
	before, err := os.Stat(full)
	if err != nil {
		return "", errors.New(reason(err))
	}
	if !before.Mode().IsRegular() {
		return "", errors.New("it is no regular file")
	}
	if before.Size() > limit {
		return "", fmt.Errorf("it is larger than %d MiB", limit>>20)
	}
	f, err := os.Open(full)
	if err != nil {
		return "", errors.New(reason(err))
	}
	defer func() { _ = f.Close() }()
	// With room for all of it and for the read that sees the end, it never grows.
	buf := bytes.NewBuffer(make([]byte, 0, before.Size()+bytes.MinRead))
	if _, err := buf.ReadFrom(io.LimitReader(f, limit+1)); err != nil {
		return "", errors.New(reason(err))
	}
	b := buf.Bytes()
	if int64(len(b)) > limit {
		return "", fmt.Errorf("it is larger than %d MiB", limit>>20)
	}
	return Text(b)
}

// Text decodes what a file holds.
func Text(b []byte) (string, error) {
	switch {
	case bytes.HasPrefix(b, []byte{0xef, 0xbb, 0xbf}):
		b = b[3:]
	case bytes.HasPrefix(b, []byte{0xff, 0xfe}):
		return decode16(b[2:], false), nil
	case bytes.HasPrefix(b, []byte{0xfe, 0xff}):
		return decode16(b[2:], true), nil
	}
	if looksBinary(b) {
		return "", ErrBinary
	}
	if utf8.Valid(b) {
		return string(b), nil
	}
	return strings.ToValidUTF8(string(b), "\ufffd"), nil
}

// looksBinary reports whether a good part of the first bytes are of no text. One
// zero byte does not hide a file.
func looksBinary(b []byte) bool {
	head := b[:min(len(b), 8<<10)]
	odd := 0
	for _, c := range head {
		if c < ' ' && c != '\n' && c != '\r' && c != '\t' && c != '\f' && c != 0x1b {
			odd++
		}
	}
	return odd*20 > len(head)
}

func decode16(b []byte, big bool) string {
	units := make([]uint16, len(b)/2)
	for i := range units {
		lo, hi := b[2*i], b[2*i+1]
		if big {
			lo, hi = hi, lo
		}
		units[i] = uint16(lo) | uint16(hi)<<8
	}
	return string(utf16.Decode(units))
}
