package authjs

import (
	"errors"
	"strings"
)

// maxChunks is the number of cookies into which a session may be cut.
const maxChunks = 16

var (
	errTwice   = errors.New("authjs: the session cookie came twice, and only one can be the app's")
	errMissing = errors.New("authjs: a chunk of the session cookie is missing")
	errChunks  = errors.New("authjs: the session cookie is cut into more than 16 chunks")
)

// jar is what a request carries under one cookie name.
type jar struct {
	whole  string
	wholes int
	chunk  [maxChunks]string
	chunks [maxChunks]int
	beyond bool
}

// readCookie returns the value of the session cookie, empty when there is none.
// The cookie of exactly that name counts first; without it the chunks name.0,
// name.1 and so on, none missing, are put together. Other names that begin
// alike are not ours.
func readCookie(lines []string, name string) (string, error) {
	var j jar
	found := false
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
	if !found {
		return "", nil
	}
	return j.value()
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
	if n >= maxChunks {
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
		n = min(10*n+int(digits[i]-'0'), maxChunks)
	}
	return n, true
}

func (j *jar) value() (string, error) {
	if j.wholes > 0 {
		if j.wholes > 1 {
			return "", errTwice
		}
		return j.whole, nil
	}
	if j.beyond {
		return "", errChunks
	}
	count, size := 0, 0
	for i, n := range j.chunks {
		if n > 1 {
			return "", errTwice
		}
		if n == 1 && i > count {
			return "", errMissing
		}
		if n == 1 {
			count++
			size += len(j.chunk[i])
		}
	}
	if size > maxToken {
		return "", errTooLarge
	}
	return strings.Join(j.chunk[:count], ""), nil
}

// isUUID recognises the id of a database session, which is all that the cookie
// holds when the app keeps its sessions itself.
func isUUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i := range len(s) {
		c := s[i]
		switch i {
		case 8, 13, 18, 23:
			if c != '-' {
				return false
			}
		default:
			if (c < '0' || c > '9') && (c < 'a' || c > 'f') && (c < 'A' || c > 'F') {
				return false
			}
		}
	}
	return true
}

// validName reports whether s can be a cookie's name (RFC 6265, section 4.1.1).
func validName(s string) bool {
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c >= 0x7f || strings.IndexByte(`()<>@,;:\"/[]?={}`, c) >= 0 {
			return false
		}
	}
	return s != ""
}
