package claviger

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"log/slog"

	"claviger.dev/claviger/internal/seal"
)

const redacted = "[secret]"

// Secret is a handle on bytes that must not be shown. Every way of formatting
// or encoding it gives "[secret]". It holds a function and not the bytes,
// because fmt prints unexported fields of a surrounding struct without asking
// their methods, and a function shows nothing there. The zero value is no
// secret at all.
type Secret struct{ reveal func() []byte }

// NewSecret makes a handle on a copy of b.
func NewSecret(b []byte) Secret {
	own := append([]byte(nil), b...)
	return Secret{reveal: func() []byte { return own }}
}

// IsZero reports whether there is no secret behind the handle.
func (s Secret) IsZero() bool { return s.reveal == nil }

// Len is the length of the secret in bytes.
func (s Secret) Len() int {
	if s.reveal == nil {
		return 0
	}
	return len(s.reveal())
}

// Reveal returns the bytes, which the caller must not change, or nil unless k
// was granted.
func (s Secret) Reveal(k seal.Reveal) []byte {
	if s.reveal == nil || !k.Granted() {
		return nil
	}
	return s.reveal()
}

// Equal compares two secrets in constant time. A zero secret equals nothing.
func (s Secret) Equal(t Secret) bool {
	if s.reveal == nil || t.reveal == nil {
		return false
	}
	return subtle.ConstantTimeCompare(s.reveal(), t.reveal()) == 1
}

// Fingerprint names a secret without telling it: the first 12 hexadecimal
// digits of its SHA-256. It is empty for the zero secret.
func (s Secret) Fingerprint() string {
	if s.reveal == nil {
		return ""
	}
	sum := sha256.Sum256(s.reveal())
	return hex.EncodeToString(sum[:6])
}

// Format implements fmt.Formatter for every verb.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(redacted)) }

// String implements fmt.Stringer.
func (s Secret) String() string { return redacted }

// GoString implements fmt.GoStringer.
func (s Secret) GoString() string { return redacted }

// LogValue implements slog.LogValuer.
func (s Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText implements encoding.TextMarshaler.
func (s Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// MarshalJSON implements the JSON marshalers.
func (s Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }

// GobEncode implements gob.GobEncoder, which would otherwise refuse in a way
// that names the type only.
func (s Secret) GobEncode() ([]byte, error) { return []byte(redacted), nil }

// Ref is a reference to a secret as it stands in the configuration:
// "env:NAME", "file:PATH" or "command:…". It is safe to print.
type Ref string

// Version tells one value of a secret from the next without telling either. It
// is safe to print and to compare.
type Version string
