package keys

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"claviger.dev/claviger"
	"claviger.dev/claviger/internal/detect"
	"claviger.dev/claviger/internal/seal"
)

// minSecret is the least length in bytes of a secret of our own.
const minSecret = 32

// Generate makes a secret of 256 random bits as 43 characters of base64url.
func Generate() (string, error) {
	b := make([]byte, minSecret)
	if _, err := rand.Read(b); err != nil {
		return "", fmt.Errorf("keys: no randomness: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(b), nil
}

var (
	errShort       = fmt.Errorf("the secret is shorter than %d bytes", minSecret)
	errPlaceholder = errors.New("the secret is a placeholder")
	errSimple      = errors.New("the secret is too regular to be one")
)

// fillers are what examples put into secrets beside what detect knows. They are
// long enough to be in no random text by chance.
var fillers = []string{
	"passphrase", "yoursecret", "supersecret", "super-secret", "super_secret",
	"development", "default-", "default_", "test-secret", "test_secret",
}

// Strength returns why a secret of our own must not be used, or nil: shorter
// than 32 bytes without a trailing newline, a placeholder, or too regular. It
// cannot tell a guessable secret from a random one and only keeps out what
// nobody chose. The error does not show the secret.
func Strength(s claviger.Secret) error {
	b := trimNewline(s.Reveal(seal.ForReveal()))
	if len(b) < minSecret {
		return errShort
	}
	if detect.IsPlaceholder(string(b)) {
		return errPlaceholder
	}
	low := strings.ToLower(string(b))
	for _, f := range fillers {
		if strings.Contains(low, f) {
			return errPlaceholder
		}
	}
	if regular(b) {
		return errSimple
	}
	return nil
}

// regular reports whether b has few different bytes, repeats itself, or counts
// up or down for the most part.
func regular(b []byte) bool {
	const fewest = 8
	var seen [256]bool
	different := 0
	for _, c := range b {
		if !seen[c] {
			seen[c] = true
			different++
		}
	}
	if different < fewest {
		return true
	}
	for period := 1; period <= len(b)/2 && period <= 64; period++ {
		if repeats(b, period) {
			return true
		}
	}
	steps := 0
	for i := 1; i < len(b); i++ {
		if d := int(b[i]) - int(b[i-1]); d >= -1 && d <= 1 {
			steps++
		}
	}
	return steps > len(b)*2/3
}

func repeats(b []byte, period int) bool {
	for i := period; i < len(b); i++ {
		if b[i] != b[i-period] {
			return false
		}
	}
	return true
}
