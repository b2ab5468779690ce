package credential

import (
	"errors"
	"strings"
)

var errTwoCookies = errors.New("the session cookie came twice, and only one can be the app's")

// Cookie returns the value of the cookie of that name from the lines of the
// Cookie header, empty when there is none. Two of the name are an error, unless
// they are equal: another host of the site can add one, and nothing tells which
// is which (RFC 6265, section 8.6).
func Cookie(lines []string, name string) (string, error) {
	value := ""
	for _, line := range lines {
		for line != "" {
			var pair string
			pair, line, _ = strings.Cut(line, ";")
			n, v, ok := strings.Cut(strings.Trim(pair, " \t"), "=")
			if !ok || n != name || v == "" {
				continue
			}
			if value != "" && v != value {
				return "", errTwoCookies
			}
			value = v
		}
	}
	return value, nil
}

// ValidCookieName reports whether s can be a cookie's name (RFC 6265, section
// 4.1.1).
func ValidCookieName(s string) bool {
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c >= 0x7f || strings.IndexByte(`()<>@,;:\"/[]?={}`, c) >= 0 {
			return false
		}
	}
	return s != ""
}
