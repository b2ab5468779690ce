package authjs

import (
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"github.com/go-jose/go-jose/v4"

	"claviger.dev/claviger"
	"claviger.dev/claviger/authn/internal/credential"
	"claviger.dev/claviger/internal/jsonx"
	"claviger.dev/claviger/internal/seal"
)

var (
	errForm      = errors.New("the session token is no compact JWE")
	errHeader    = errors.New("the session token's header is not as Auth.js writes it")
	errAlgorithm = errors.New("the session token is sealed with another algorithm than Auth.js uses")
	errKey       = errors.New("the session token was not sealed with a configured secret, or for another cookie name")
)

// sealed is a compact JWE (RFC 7516, section 7.1) whose form was checked and
// whose seal was not.
type sealed struct {
	token  string
	enc    jose.ContentEncryption
	kid    string
	hasKid bool
}

// isSealed recognises what Auth.js hands out as a bearer: five parts, the
// second empty, with a header that says dir. Nothing is verified.
func isSealed(token string) bool {
	header, rest, ok := strings.Cut(token, ".")
	if !ok || !strings.HasPrefix(rest, ".") || strings.Count(rest, ".") != 3 {
		return false
	}
	h, err := parseHeader(header)
	if err != nil {
		return false
	}
	alg, _ := h.Get("alg")
	return alg.Is(string(jose.DIRECT))
}

func parseHeader(part string) (jsonx.Value, error) {
	if part == "" || len(part) > maxHeader || !credential.Canonical(part) {
		return jsonx.Value{}, errHeader
	}
	b, err := base64.RawURLEncoding.DecodeString(part)
	if err != nil {
		return jsonx.Value{}, errHeader
	}
	h, err := jsonx.Parse(b)
	if err != nil || h.Kind() != jsonx.KindObject {
		return jsonx.Value{}, errHeader
	}
	return h, nil
}

// lengths are those of the initialisation vector and the tag, in characters:
// 16 and 32 bytes (RFC 7518, section 5.2.5), 12 and 16 (section 5.3).
func lengths(enc jose.ContentEncryption) (iv, tag int) {
	if enc == jose.A256GCM {
		return 16, 22
	}
	return 22, 43
}

func parseSealed(token string) (*sealed, error) {
	if strings.Count(token, ".") != 4 {
		return nil, errForm
	}
	part := strings.Split(token, ".")
	if part[1] != "" {
		return nil, errForm
	}
	for _, p := range part {
		if !credential.Canonical(p) {
			return nil, errForm
		}
	}
	h, err := parseHeader(part[0])
	if err != nil {
		return nil, err
	}
	s := &sealed{token: token}
	if err := s.readHeader(h); err != nil {
		return nil, err
	}
	if iv, tag := lengths(s.enc); len(part[2]) != iv || part[3] == "" && s.enc != jose.A256GCM || len(part[4]) != tag {
		return nil, errForm
	}
	return s, nil
}

func (s *sealed) readHeader(h jsonx.Value) error {
	if alg, _ := h.Get("alg"); !alg.Is(string(jose.DIRECT)) {
		return errAlgorithm
	}
	enc, _ := h.Get("enc")
	switch {
	case enc.Is(string(jose.A256CBC_HS512)):
		s.enc = jose.A256CBC_HS512
	case enc.Is(string(jose.A256GCM)):
		s.enc = jose.A256GCM
	default:
		return errAlgorithm
	}
	for _, name := range []string{"zip", "crit"} {
		if _, there := h.Get(name); there {
			return errHeader
		}
	}
	kid, there := h.Get("kid")
	if there && kid.Kind() != jsonx.KindString {
		return errHeader
	}
	s.kid, s.hasKid = kid.Str(), there
	return nil
}

// derived is a key made from a secret. It is held by handle, so that no way of
// printing shows it.
type derived struct {
	kid string // empty in version 4
	key claviger.Secret
}

func newDerived(key []byte) derived {
	return derived{kid: thumbprint(key), key: claviger.NewSecret(key)}
}

func (d derived) bytes() []byte { return d.key.Reveal(seal.ForReveal()) }

// keyring holds the keys of one version of Auth.js under one cookie name, in
// the order of the secrets.
type keyring struct {
	version  int
	cookie   string
	cbc, gcm []derived
}

func newKeyring(version int, cookie string, secrets []claviger.Secret) (*keyring, error) {
	k := &keyring{version: version, cookie: cookie}
	for _, s := range secrets {
		secret := credential.Bytes(s)
		if version == 4 {
			key, err := hkdf.Key(sha256.New, secret, nil, "NextAuth.js Generated Encryption Key", 32)
			if err != nil {
				return nil, fmt.Errorf("authjs: %w", err)
			}
			k.gcm = append(k.gcm, derived{key: claviger.NewSecret(key)})
			continue
		}
		info := "Auth.js Generated Encryption Key (" + cookie + ")"
		long, err := hkdf.Key(sha256.New, secret, []byte(cookie), info, 64)
		if err != nil {
			return nil, fmt.Errorf("authjs: %w", err)
		}
		short, err := hkdf.Key(sha256.New, secret, []byte(cookie), info, 32)
		if err != nil {
			return nil, fmt.Errorf("authjs: %w", err)
		}
		k.cbc = append(k.cbc, newDerived(long))
		k.gcm = append(k.gcm, newDerived(short))
	}
	return k, nil
}

// thumbprint is that of RFC 7638 for a symmetric key, with SHA-512 for a key of
// 64 bytes and SHA-256 for a shorter one, as Auth.js has it.
func thumbprint(key []byte) string {
	jwk := []byte(`{"k":"` + base64.RawURLEncoding.EncodeToString(key) + `","kty":"oct"}`)
	if len(key) == 64 {
		sum := sha512.Sum512(jwk)
		return base64.RawURLEncoding.EncodeToString(sum[:])
	}
	sum := sha256.Sum256(jwk)
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// candidates are the keys that may have sealed s: in version 5 the one that kid
// names, or the first without kid; in version 4 all of them.
func (k *keyring) candidates(s *sealed) []derived {
	keys := k.cbc
	if s.enc == jose.A256GCM {
		keys = k.gcm
	}
	switch {
	case k.version == 4 || len(keys) == 0:
		return keys
	case !s.hasKid:
		return keys[:1]
	}
	for i := range keys {
		if keys[i].kid == s.kid {
			return keys[i : i+1]
		}
	}
	return nil
}

func (k *keyring) open(s *sealed) ([]byte, error) {
	for _, d := range k.candidates(s) {
		jwe, err := jose.ParseEncryptedCompact(s.token, []jose.KeyAlgorithm{jose.DIRECT}, []jose.ContentEncryption{s.enc})
		if err != nil {
			return nil, errForm
		}
		if payload, err := jwe.Decrypt(d.bytes()); err == nil {
			return payload, nil
		}
	}
	return nil, errKey
}
