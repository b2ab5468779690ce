package credential

import (
	"errors"
	"strconv"
	"strings"
)

// MaxChunks is the number of cookies into which a session may be cut.
const MaxChunks = 16

var (
	errMissing     = errors.New("a chunk of the session cookie is missing")
	errChunks      = errors.New("the session cookie is cut into more than 16 chunks")
	errLargeCookie = errors.New("the chunks of the session cookie are too large together")
)

// jar is what a request carries under one cookie name.
type jar struct {
	whole  string
	wholes int
	chunk  [MaxChunks]string
	chunks [MaxChunks]int
	beyond bool
}

// Chunked returns the value of a session cookie that may be cut into pieces,
// empty when there is none, from the lines of the Cookie header. The cookie of
// exactly that name counts first; without it the chunks name.0, name.1 and so
// on, none missing, are put together, up to limit bytes. Other names that begin
// alike are not the app's.
func Chunked(lines []string, name string, limit int) (string, error) {
	j, found := open(lines, name)
	if !found {
		return "", nil
	}
	return j.value(limit)
}

// AppendChunked appends the session cookie to dst as a browser would send it, in
// chunks or whole, and nothing when there is none. It takes and refuses what
// Chunked does.
func AppendChunked(dst []byte, lines []string, name string, limit int) ([]byte, error) {
	j, found := open(lines, name)
	if !found {
		return dst, nil
	}
	value, err := j.value(limit)
	switch {
	case err != nil:
		return nil, err
	case j.wholes > 0:
		return appendCookie(dst, name, value), nil
	}
	for i, n := range j.chunks {
		if n > 0 {
			dst = appendCookie(dst, name+"."+strconv.Itoa(i), j.chunk[i])
		}
	}
	return dst, nil
}

func appendCookie(dst []byte, name, value string) []byte {
	if len(dst) > 0 {
		dst = append(dst, "; "...)
	}
	return append(append(append(dst, name...), '='), value...)
}

// open sorts the cookies of a session out of all.
func open(lines []string, name string) (j jar, found bool) {
	for _, line := range lines {
		for line != "" {
			var pair string
			pair, line, _ = strings.Cut(line, ";")
			n, v, ok := strings.Cut(strings.Trim(pair, " \t"), "=")
			if ok && v != "" && strings.HasPrefix(n, name) {
				found = j.take(n[len(name):], v) || found
			}
		}
	}
	return j, found
}

// take notes a cookie by what follows the session's name in its own, and
// reports whether it belongs to the session.
func (j *jar) take(suffix, v string) bool {
	if suffix == "" {
		j.whole = v
		j.wholes++
		return true
	}
	n, ok := chunkNumber(suffix)
	if !ok {
		return false
	}
	if n >= MaxChunks {
		j.beyond = true
		return true
	}
	j.chunk[n] = v
	j.chunks[n]++
	return true
}

// chunkNumber reads ".7" as Auth.js writes it. Numbers of two digits are
// enough to see that there are too many.
func chunkNumber(suffix string) (int, bool) {
	digits := suffix[1:]
	if suffix[0] != '.' || digits == "" || len(digits) > 1 && digits[0] == '0' {
		return 0, false
	}
	n := 0
	for i := range len(digits) {
		if digits[i] < '0' || digits[i] > '9' {
			return 0, false
		}
		n = min(10*n+int(digits[i]-'0'), MaxChunks)
	}
	return n, true
}

func (j *jar) value(limit int) (string, error) {
	if j.wholes > 0 {
		if j.wholes > 1 {
			return "", errTwoCookies
		}
		return j.whole, nil
	}
	if j.beyond {
		return "", errChunks
	}
	count, size := 0, 0
	for i, n := range j.chunks {
		if n > 1 {
			return "", errTwoCookies
		}
		if n == 1 && i > count {
			return "", errMissing
		}
		if n == 1 {
			count++
			size += len(j.chunk[i])
		}
	}
	if size > limit {
		return "", errLargeCookie
	}
	return strings.Join(j.chunk[:count], ""), nil
}
