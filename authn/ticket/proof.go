package ticket

import (
	"crypto"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"claviger.dev/claviger/authn/internal/credential"
	"claviger.dev/claviger/internal/jsonx"
)

// Bounds of a DPoP proof (RFC 9449).
const (
	maxProof       = 4 << 10 // bytes
	maxProofHeader = 1 << 10 // characters of the first part
	maxProofID     = 256     // bytes of jti
	proofAge       = 60 * time.Second
	tolerance      = credential.Tolerance
	proofType      = "dpop+jwt"
	proofHeader    = "Dpop" // DPoP, as net/http spells it
)

// proofAlgorithms are those that every browser has and whose keys have one size.
var proofAlgorithms = []jose.SignatureAlgorithm{jose.ES256, jose.EdDSA}

// challenge is for WWW-Authenticate (RFC 9449, section 7.1).
const challenge = `DPoP algs="ES256 EdDSA"`

// The reasons against a proof, for the log.
var (
	errProofCount     = errors.New("a ticket that is bound to a key needs exactly one DPoP header")
	errProofSize      = errors.New("the proof is larger than 4 KiB")
	errProofForm      = errors.New("the proof is no compact JWT")
	errProofHeader    = errors.New("the header of the proof is not of typ dpop+jwt with alg and jwk alone")
	errProofAlgorithm = errors.New("the algorithm of the proof is none of ES256 and EdDSA")
	errProofKey       = errors.New("the jwk of the proof is no public key of its algorithm, or has members beside")
	errProofSignature = errors.New("the proof is not signed with its own key")
	errProofPayload   = errors.New("the proof has no jti, htm, htu, iat and ath of their types")
	errProofOther     = errors.New("the proof is of another key than the ticket's")
	errProofTicket    = errors.New("the proof was made for another ticket (ath)")
	errProofMethod    = errors.New("the proof was made for another method (htm)")
	errProofTarget    = errors.New("the proof was made for another address (htu): look at dpop_urls")
	errProofTime      = errors.New("the proof was not made within the last minute (iat)")
)

// proof is what a DPoP proof says whose own key has signed it.
type proof struct {
	jkt, id, method, target, ticket string
	made                            time.Time
}

// thumbprint reports whether s can be that of a key (RFC 7638): SHA-256 in
// base64url.
func thumbprint(s string) bool {
	return len(s) == base64.RawURLEncoding.EncodedLen(sha256.Size) && credential.Canonical(s)
}

// parseProof reads a proof and verifies that its own key has signed it. What it
// says about the request is not held against anything.
func parseProof(text string) (proof, error) {
	if len(text) > maxProof {
		return proof{}, errProofSize
	}
	if strings.Count(text, ".") != 2 {
		return proof{}, errProofForm
	}
	for part := range strings.SplitSeq(text, ".") {
		if part == "" || !credential.Canonical(part) {
			return proof{}, errProofForm
		}
	}
	key, err := proofKey(text)
	if err != nil {
		return proof{}, err
	}
	jws, err := jose.ParseSignedCompact(text, proofAlgorithms)
	if err != nil {
		return proof{}, errProofForm
	}
	body, err := jws.Verify(key.Key)
	if err != nil {
		return proof{}, errProofSignature
	}
	sum, err := key.Thumbprint(crypto.SHA256)
	if err != nil {
		return proof{}, errProofKey
	}
	p, err := readProof(body)
	p.jkt = base64.RawURLEncoding.EncodeToString(sum)
	return p, err
}

// proofKey reads the header: typ, alg and jwk, each once, and nothing else.
func proofKey(text string) (*jose.JSONWebKey, error) {
	part, _, _ := strings.Cut(text, ".")
	if len(part) > maxProofHeader {
		return nil, errProofHeader
	}
	b, err := base64.RawURLEncoding.DecodeString(part)
	if err != nil {
		return nil, errProofHeader
	}
	h, err := jsonx.Parse(b)
	if err != nil || h.Kind() != jsonx.KindObject || h.Len() != 3 {
		return nil, errProofHeader
	}
	if typ, _ := h.Get("typ"); !typ.Is(proofType) {
		return nil, errProofHeader
	}
	jwk, _ := h.Get("jwk")
	switch alg, _ := h.Get("alg"); {
	case alg.Is(string(jose.ES256)):
		return publicKey(jwk, "EC", "P-256", "x", "y")
	case alg.Is(string(jose.EdDSA)):
		return publicKey(jwk, "OKP", "Ed25519", "x")
	}
	return nil, errProofAlgorithm
}

// publicKey reads a key of one type and curve. Of the members that say nothing
// secret it takes those that make the key; any other refuses it, so that no
// private and no symmetric key gets further.
func publicKey(jwk jsonx.Value, kty, curve string, coordinates ...string) (*jose.JSONWebKey, error) {
	if jwk.Kind() != jsonx.KindObject {
		return nil, errProofKey
	}
	clean := []jsonx.Member{{Name: "kty", Value: jsonx.String(kty)}, {Name: "crv", Value: jsonx.String(curve)}}
	for _, name := range coordinates {
		v, _ := jwk.Get(name)
		if v.Kind() != jsonx.KindString || !credential.Canonical(v.Str()) {
			return nil, errProofKey
		}
		clean = append(clean, jsonx.Member{Name: name, Value: v})
	}
	needed := 0
	for _, m := range jwk.Members() {
		switch m.Name {
		case "kty", "crv", "x", "y":
			if m.Name == "kty" && !m.Value.Is(kty) || m.Name == "crv" && !m.Value.Is(curve) {
				return nil, errProofKey
			}
			needed++
		case "alg", "use", "kid", "ext", "key_ops":
		default:
			return nil, errProofKey
		}
	}
	if needed != len(clean) {
		return nil, errProofKey
	}
	key := &jose.JSONWebKey{}
	if err := key.UnmarshalJSON(jsonx.Append(nil, jsonx.Object(clean...))); err != nil || !key.Valid() || !key.IsPublic() {
		return nil, errProofKey
	}
	return key, nil
}

func readProof(body []byte) (proof, error) {
	v, err := jsonx.Parse(body)
	if err != nil || v.Kind() != jsonx.KindObject {
		return proof{}, errProofPayload
	}
	var p proof
	for name, into := range map[string]*string{"jti": &p.id, "htm": &p.method, "htu": &p.target, "ath": &p.ticket} {
		m, _ := v.Get(name)
		if m.Kind() != jsonx.KindString || m.Str() == "" {
			return proof{}, errProofPayload
		}
		*into = m.Str()
	}
	iat, _ := v.Get("iat")
	seconds, ok := iat.Float()
	if iat.Kind() != jsonx.KindNumber || !ok || seconds < 0 || seconds > 1<<40 || len(p.id) > maxProofID {
		return proof{}, errProofPayload
	}
	whole, part := math.Modf(seconds)
	p.made = time.Unix(int64(whole), int64(part*1e9))
	return p, nil
}

// prove verifies that whoever sent r holds the key to which the ticket is bound.
func (a *Authenticator) prove(r *http.Request, token, jkt string, now time.Time) (proof, error) {
	lines := r.Header[proofHeader]
	if len(lines) != 1 {
		return proof{}, errProofCount
	}
	p, err := parseProof(lines[0])
	if err != nil {
		return proof{}, err
	}
	sum := sha256.Sum256([]byte(token))
	switch {
	case p.jkt != jkt:
		return proof{}, errProofOther
	case p.ticket != base64.RawURLEncoding.EncodeToString(sum[:]):
		return proof{}, errProofTicket
	case p.method != r.Method:
		return proof{}, errProofMethod
	case !target(a.addresses, p.target, r):
		return proof{}, errProofTarget
	case p.made.After(now.Add(tolerance)), p.made.Before(now.Add(-proofAge - tolerance)):
		return proof{}, fmt.Errorf("%w: by %s", errProofTime, now.Sub(p.made).Truncate(time.Second))
	}
	return p, nil
}
