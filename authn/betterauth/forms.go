package betterauth

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"claviger.dev/claviger"
	"claviger.dev/claviger/authn/internal/credential"
	"claviger.dev/claviger/internal/jsonx"
)

// The reasons against the form of a cache, for the log.
var (
	errForm      = errors.New("the session cache is not of the configured strategy")
	errHeader    = errors.New("the header of the session cache is not as Better Auth writes it")
	errSignature = errors.New("the session cache was not made with the configured secret")
)

// compact is base64url of {"session":…,"expiresAt":…,"signature":"…"}, where
// the signature is an HMAC over the text of session with expiresAt as its last
// member.
type compact struct{ secret claviger.Secret }

const (
	openCompact   = `{"session":{`
	endsAt        = `,"expiresAt":`
	signatureAt   = `,"signature":"`
	macCharacters = 43
)

// compactBegins is how such a cache begins in base64url.
const compactBegins = "eyJzZXNzaW9uIjp7"

func (c compact) ours(token string) bool { return strings.HasPrefix(token, compactBegins) }

// open takes the text apart from its end, in the one way in which the library
// writes it, and parses nothing before the MAC is good.
func (c compact) open(token string) ([]byte, time.Time, error) {
	if !credential.Canonical(token) {
		return nil, time.Time{}, errForm
	}
	b, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil {
		return nil, time.Time{}, errForm
	}
	text, ok := strings.CutPrefix(string(b), `{"session":`)
	if !ok || !strings.HasPrefix(string(b), openCompact) {
		return nil, time.Time{}, errForm
	}
	text, ok = strings.CutSuffix(text, `"}`)
	if !ok || len(text) < macCharacters {
		return nil, time.Time{}, errForm
	}
	text, mac := text[:len(text)-macCharacters], text[len(text)-macCharacters:]
	text, ok = strings.CutSuffix(text, signatureAt)
	i := strings.LastIndex(text, endsAt)
	if !ok || i < 1 || text[i-1] != '}' || !credential.Canonical(mac) {
		return nil, time.Time{}, errForm
	}
	session, digits := text[:i], text[i+len(endsAt):]
	ms, err := strconv.ParseUint(digits, 10, 53)
	if err != nil || strconv.FormatUint(ms, 10) != digits {
		return nil, time.Time{}, errForm
	}
	sum, err := base64.RawURLEncoding.DecodeString(mac)
	if err != nil {
		return nil, time.Time{}, errForm
	}
	m := hmac.New(sha256.New, credential.Bytes(c.secret))
	m.Write([]byte(session[:len(session)-1] + endsAt + digits + "}"))
	if !hmac.Equal(m.Sum(nil), sum) {
		return nil, time.Time{}, errSignature
	}
	return []byte(session), time.UnixMilli(int64(ms)), nil
}

// signed is a JWT with HS256 under the secret itself.
type signed struct{ secret claviger.Secret }

// signedBegins is {"alg":"HS256"}, which is all that the header says. Other
// tokens of the same secret have it too, and another payload.
const signedBegins = "eyJhbGciOiJIUzI1NiJ9."

func (s signed) ours(token string) bool { return isToken(token, signedBegins, 3) }

func (s signed) open(token string) ([]byte, time.Time, error) {
	if !s.ours(token) || !canonicalParts(token) {
		return nil, time.Time{}, errForm
	}
	jws, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.HS256})
	if err != nil {
		return nil, time.Time{}, errForm
	}
	payload, err := jws.Verify(credential.Bytes(s.secret))
	if err != nil {
		return nil, time.Time{}, errSignature
	}
	return payload, time.Time{}, nil
}

// encrypted is a JWE under a key derived from the secret.
type encrypted struct {
	key func() []byte // not the bytes, which fmt would print
	kid string
}

// newEncrypted derives the key: HKDF with SHA-256, the salt that is the name of
// the purpose, and a fixed info; the kid is its thumbprint (RFC 7638).
func newEncrypted(secret claviger.Secret) (encrypted, error) {
	key, err := hkdf.Key(sha256.New, credential.Bytes(secret), []byte("better-auth-session"), "BetterAuth.js Generated Encryption Key", 64)
	if err != nil {
		return encrypted{}, fmt.Errorf("better-auth: %w", err)
	}
	sum := sha256.Sum256([]byte(`{"k":"` + base64.RawURLEncoding.EncodeToString(key) + `","kty":"oct"}`))
	return encrypted{func() []byte { return key }, base64.RawURLEncoding.EncodeToString(sum[:])}, nil
}

func (e encrypted) ours(token string) bool {
	return strings.Count(token, ".") == 4 && e.checkHeader(token) == nil
}

// checkHeader admits what the library writes: alg, enc and kid.
func (e encrypted) checkHeader(token string) error {
	part, _, _ := strings.Cut(token, ".")
	if len(part) > maxHeader || !credential.Canonical(part) {
		return errHeader
	}
	b, err := base64.RawURLEncoding.DecodeString(part)
	if err != nil {
		return errHeader
	}
	h, err := jsonx.Parse(b)
	if err != nil || h.Kind() != jsonx.KindObject || h.Len() != 3 {
		return errHeader
	}
	for name, want := range map[string]string{"alg": string(jose.DIRECT), "enc": string(jose.A256CBC_HS512), "kid": e.kid} {
		if v, _ := h.Get(name); !v.Is(want) {
			return errHeader
		}
	}
	return nil
}

func (e encrypted) open(token string) ([]byte, time.Time, error) {
	if strings.Count(token, ".") != 4 || !canonicalParts(token) {
		return nil, time.Time{}, errForm
	}
	if err := e.checkHeader(token); err != nil {
		return nil, time.Time{}, err
	}
	jwe, err := jose.ParseEncryptedCompact(token, []jose.KeyAlgorithm{jose.DIRECT}, []jose.ContentEncryption{jose.A256CBC_HS512})
	if err != nil {
		return nil, time.Time{}, errForm
	}
	payload, err := jwe.Decrypt(e.key())
	if err != nil {
		return nil, time.Time{}, errSignature
	}
	return payload, time.Time{}, nil
}

func canonicalParts(token string) bool {
	for p := range strings.SplitSeq(token, ".") {
		if !credential.Canonical(p) {
			return false
		}
	}
	return true
}
