package jwt

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"claviger.dev/claviger"
	"claviger.dev/claviger/authn/internal/credential"
	"claviger.dev/claviger/internal/jsonx"
)

// Bounds on key sets.
const (
	maxSet     = 256 << 10 // bytes
	maxKeys    = 64
	maxTried   = 8    // keys for one token
	minModulus = 2048 // bits of RSA (NIST SP 800-131A)
	maxModulus = 8192 // bits, beyond which one verification is a burden
)

// key is one public key of a set.
type key struct {
	id     string // all of what matters in it, to tell it from others
	kid    string
	alg    string // the one algorithm for which it is, or empty
	lone   bool   // the only key there is, whatever kid says
	public any
}

// fits reports whether k can verify alg.
func (k *key) fits(alg jose.SignatureAlgorithm) bool {
	if k.alg != "" && k.alg != string(alg) {
		return false
	}
	switch p := k.public.(type) {
	case *rsa.PublicKey:
		return strings.HasPrefix(string(alg), "RS") || strings.HasPrefix(string(alg), "PS")
	case *ecdsa.PublicKey: // RFC 7518, section 3.4: each algorithm has its curve
		return curves[p.Curve.Params().Name] == alg
	case ed25519.PublicKey:
		return alg == jose.EdDSA
	case claviger.Secret:
		return alg == jose.HS256
	}
	return false
}

var curves = map[string]jose.SignatureAlgorithm{"P-256": jose.ES256, "P-384": jose.ES384, "P-521": jose.ES512}

// ring holds the keys of an issuer as they were at one time, and the tokens
// that they signed. It is not changed once it is made, so a ring without a key
// also knows no token of it.
type ring struct {
	keys   []key
	memory *credential.Memory[claviger.Principal]
	due    time.Time // when the set should be fetched again
	at     time.Time // when it was fetched
}

func newMemory() *credential.Memory[claviger.Principal] {
	return credential.NewMemory[claviger.Principal](remember)
}

// verify returns nil when a key of r has signed jws: one that has the kid of
// the header, or any that fits when the header has none.
func (r *ring) verify(jws *jose.JSONWebSignature, h hint) error {
	tried := 0
	for i := range r.keys {
		k := &r.keys[i]
		if h.hasKid && k.kid != h.kid && !k.lone || !k.fits(h.alg) {
			continue
		}
		if tried++; tried > maxTried {
			break
		}
		with := k.public
		if s, ok := with.(claviger.Secret); ok {
			with = credential.Bytes(s)
		}
		if _, err := jws.Verify(with); err == nil {
			return nil
		}
	}
	if tried == 0 {
		return errNoKey
	}
	return errSignature
}

var (
	errSet     = errors.New("the key set is not as RFC 7517 has it")
	errManyKey = fmt.Errorf("the key set has more than %d keys", maxKeys)
)

// parseSet reads a JWK set (RFC 7517, section 5). Keys that cannot verify are
// left out: symmetric and private ones, those for another use, of another type
// or too weak. So a set may come out empty.
func parseSet(b []byte) ([]key, error) {
	v, err := jsonx.Parse(b)
	if err != nil || v.Kind() != jsonx.KindObject {
		return nil, errSet
	}
	set, _ := v.Get("keys")
	if set.Kind() != jsonx.KindArray {
		return nil, errSet
	}
	if set.Len() > maxKeys {
		return nil, errManyKey
	}
	var out []key
	for _, v := range set.Items() {
		if k, ok := parseKey(v); ok && !slices.ContainsFunc(out, func(o key) bool { return o.id == k.id }) {
			out = append(out, k)
		}
	}
	return out, nil
}

// parseKey reads one JWK, and is false for those that do not count.
func parseKey(v jsonx.Value) (key, bool) {
	if v.Kind() != jsonx.KindObject || !forSignatures(v) {
		return key{}, false
	}
	k := key{}
	for name, at := range map[string]*string{"kid": &k.kid, "alg": &k.alg} {
		if m, there := v.Get(name); there {
			if m.Kind() != jsonx.KindString {
				return key{}, false
			}
			*at = m.Str()
		}
	}
	var members []jsonx.Member // what makes the key; certificates and the like are not looked at
	for _, name := range []string{"kty", "crv", "x", "y", "n", "e"} {
		if m, there := v.Get(name); there {
			members = append(members, jsonx.Member{Name: name, Value: m})
		}
	}
	bare := jsonx.Append(nil, jsonx.Object(members...))
	var jwk jose.JSONWebKey
	if err := jwk.UnmarshalJSON(bare); err != nil || !strong(jwk.Key) {
		return key{}, false
	}
	k.public = jwk.Key
	k.id = string(bare) + "\n" + k.kid + "\n" + k.alg
	return k, true
}

// forSignatures reports whether a JWK may verify signatures (RFC 7517, sections
// 4.2 and 4.3) and is public. A private key that was published signs for
// anybody.
func forSignatures(v jsonx.Value) bool {
	for _, name := range []string{"d", "k", "p", "q", "oth"} {
		if _, there := v.Get(name); there {
			return false
		}
	}
	if use, there := v.Get("use"); there && !use.Is("sig") {
		return false
	}
	ops, there := v.Get("key_ops")
	return !there || slices.ContainsFunc(ops.Elems(), func(op jsonx.Value) bool { return op.Is("verify") })
}

func strong(public any) bool {
	switch p := public.(type) {
	case *rsa.PublicKey:
		bits := p.N.BitLen()
		return bits >= minModulus && bits <= maxModulus && p.E >= 3 && p.E&1 == 1
	case *ecdsa.PublicKey, ed25519.PublicKey:
		return true
	}
	return false
}

// shared is the key that issuer and gateway have in common.
type shared struct{ ring *ring }

func newShared(s claviger.Secret) *shared {
	return &shared{&ring{keys: []key{{public: s, lone: true}}, memory: newMemory()}}
}

func (s *shared) current(context.Context) *ring { return s.ring }
func (s *shared) newer(context.Context) *ring   { return s.ring }
func (s *shared) refresh(context.Context) error { return nil }
func (s *shared) problems() []string            { return nil }
