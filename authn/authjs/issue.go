package authjs

import (
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"claviger.dev/claviger"
	"claviger.dev/claviger/authn/internal/credential"
	"claviger.dev/claviger/internal/jsonx"
)

// The greatest length of a cookie's value: what Auth.js leaves of 4,096 bytes
// for name and attributes.
const (
	chunkV5 = 3936
	chunkV4 = 3933
)

// Issue makes the session that Auth.js would make at sign-in: the cookie's name
// and the cookie, in chunks where it is long. Claims must name a subject; iat,
// exp and jti are set here. It is for the demo and for tests; in an app,
// Auth.js does this.
func (a *Authenticator) Issue(claims claviger.Claims, ttl time.Duration) (cookieName string, cookies []*http.Cookie, err error) {
	sub, _ := claims["sub"].(string)
	if err := credential.CheckSubject(sub); err != nil {
		return "", nil, fmt.Errorf("authjs: %w", err)
	}
	if ttl <= 0 {
		return "", nil, errors.New("authjs: a session needs a life longer than nothing")
	}
	now := a.now()
	body := maps.Clone(claims)
	body["iat"] = now.Unix()
	body["exp"] = now.Add(ttl).Unix()
	body["jti"] = rand.Text()
	token, err := a.keyrings[0].seal(body)
	if err != nil {
		return "", nil, err
	}
	name := a.keyrings[0].cookie
	pieces := a.keyrings[0].cut(token)
	if len(pieces) > credential.MaxChunks {
		return "", nil, errors.New("authjs: the claims are too large for the 16 cookies of a session")
	}
	for i, p := range pieces {
		c := &http.Cookie{ //nolint:gosec // Secure follows the site, as Auth.js has it on http
			Name: name, Value: p, Path: "/", Expires: now.Add(ttl),
			HttpOnly: true, SameSite: http.SameSiteLaxMode, Secure: a.secure || strings.HasPrefix(name, "__"),
		}
		if len(pieces) > 1 {
			c.Name += "." + strconv.Itoa(i)
		}
		cookies = append(cookies, c)
	}
	return name, cookies, nil
}

func (k *keyring) seal(claims claviger.Claims) (string, error) {
	payload, err := jsonx.Marshal(claims)
	if err != nil {
		return "", fmt.Errorf("authjs: the claims are no JSON: %w", err)
	}
	enc, with := jose.A256CBC_HS512, k.cbc
	if k.version == 4 {
		enc, with = jose.A256GCM, k.gcm
	}
	sealer, err := jose.NewEncrypter(enc, jose.Recipient{Algorithm: jose.DIRECT, Key: with[0].bytes(), KeyID: with[0].kid}, nil)
	if err != nil {
		return "", fmt.Errorf("authjs: %w", err)
	}
	jwe, err := sealer.Encrypt(payload)
	if err != nil {
		return "", fmt.Errorf("authjs: %w", err)
	}
	token, err := jwe.CompactSerialize()
	if err != nil {
		return "", fmt.Errorf("authjs: %w", err)
	}
	return token, nil
}

// cut takes a token apart into what fits into a cookie.
func (k *keyring) cut(token string) []string {
	size := chunkV5
	if k.version == 4 {
		size = chunkV4
	}
	var out []string
	for len(token) > size {
		out = append(out, token[:size])
		token = token[size:]
	}
	return append(out, token)
}
