// Package credential holds what the authenticators have in common: taking a
// bearer out of a request, checking the form of a compact JOSE token before
// anything is decoded, the rules that every token has to keep, and a bounded
// memory of tokens that were found good.
package credential

import (
	"bytes"
	"errors"
	"net/http"
	"strings"

	"claviger.dev/claviger"
	"claviger.dev/claviger/internal/seal"
)

// Refuse returns the error for a credential that is of the authenticator's kind
// and not good. The cause is for the log alone and must not hold anything of
// the credential.
func Refuse(cause error) error {
	return &claviger.Error{Code: claviger.CodeUnauthenticated, Err: cause}
}

// Bearer returns the credential of the one Authorization header (RFC 6750,
// section 2.1; the scheme in any case, RFC 9110, section 11.1). It is false
// when there is no header, more than one, another scheme, or nothing after it.
func Bearer(r *http.Request) (string, bool) { return Presented(r, "Bearer ") }

// Presented is Bearer for another scheme, which ends in a space.
func Presented(r *http.Request, scheme string) (string, bool) {
	h := r.Header["Authorization"]
	if len(h) != 1 || len(h[0]) <= len(scheme) || !strings.EqualFold(h[0][:len(scheme)], scheme) {
		return "", false
	}
	token := strings.Trim(h[0][len(scheme):], " ")
	return token, token != ""
}

// Bytes returns the bytes of a secret without one trailing newline, as editors
// and shells leave it. The caller must not change them.
func Bytes(s claviger.Secret) []byte {
	b := s.Reveal(seal.ForReveal())
	b = bytes.TrimSuffix(b, []byte("\n"))
	return bytes.TrimSuffix(b, []byte("\r"))
}

// Canonical reports whether s is unpadded base64url (RFC 7515, section 2) in
// its only spelling: decoders ignore line breaks and the unused bits of the
// last character, so that one token could be spelled in several ways.
func Canonical(s string) bool {
	for i := range len(s) {
		if value(s[i]) < 0 {
			return false
		}
	}
	switch len(s) % 4 {
	case 1:
		return false
	case 2:
		return value(s[len(s)-1])&0x0f == 0
	case 3:
		return value(s[len(s)-1])&0x03 == 0
	}
	return true
}

func value(c byte) int {
	switch {
	case 'A' <= c && c <= 'Z':
		return int(c - 'A')
	case 'a' <= c && c <= 'z':
		return int(c-'a') + 26
	case '0' <= c && c <= '9':
		return int(c-'0') + 52
	case c == '-':
		return 62
	case c == '_':
		return 63
	}
	return -1
}

// subjectLimit is the longest subject in bytes.
const subjectLimit = 1024

// ServicePrefix begins the subject of a server that acts for itself. No user
// may carry it, or one could take the place of the server.
const ServicePrefix = "service:"

// The reasons against a subject.
var (
	errNoSubject       = errors.New("the token names no subject: sub must be a string that is not empty")
	errLongSubject     = errors.New("sub is longer than 1024 bytes")
	errReservedSubject = errors.New(`sub begins with "service:", which is kept for service keys`)
)

// CheckSubject returns why s cannot name a user, or nil.
func CheckSubject(s string) error {
	switch {
	case s == "":
		return errNoSubject
	case len(s) > subjectLimit:
		return errLongSubject
	case strings.HasPrefix(s, ServicePrefix):
		return errReservedSubject
	}
	return nil
}
