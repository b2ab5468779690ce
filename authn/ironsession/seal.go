package ironsession

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/sha1" //nolint:gosec // the derivation of iron-session, from passwords of 32 characters and more
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"claviger.dev/claviger/authn/internal/credential"
)

// The reasons against a seal, for the log.
var (
	errTooLarge = errors.New("iron-session: the seal is larger than 32 KiB")
	errForm     = errors.New("the cookie is no seal of iron-session (Fe26.2 with the marker ~2)")
	errNoEnd    = errors.New("the seal has no end: give iron-session a ttl")
	errExpired  = errors.New("the seal has expired")
	errLife     = errors.New("the seal lives longer than ttl: set ttl to that of the app")
	errPassword = errors.New("the seal names a password that is not configured")
	errSeal     = errors.New("the seal was not made with the configured password")
	errPayload  = errors.New("the session is no JSON object")
)

const (
	prefix     = "Fe26.2*"
	marker     = "~2"
	saltSize   = 64              // hexadecimal digits of 256 bits
	lastMoment = 253402300799999 // ms: the end of the year 9999
)

// sealed is a seal whose form was checked and whose integrity was not:
// Fe26.2*id*salt*iv*ciphertext*expiry*macsalt*mac.
type sealed struct {
	signed   string // what the MAC is over
	id       string
	salt     string
	iv, text []byte
	macSalt  string
	mac      []byte
	ends     time.Time
}

func parseSeal(token string) (*sealed, error) {
	// The marker stands outside of the MAC, so it has one spelling here.
	body, ok := strings.CutSuffix(token, marker)
	if !ok || strings.Count(body, "*") != 7 || !strings.HasPrefix(body, prefix) {
		return nil, errForm
	}
	part := strings.Split(body, "*")
	s := &sealed{
		signed: strings.Join(part[:6], "*"),
		id:     part[1], salt: part[2], macSalt: part[6],
	}
	if !validID(s.id) || !isSalt(s.salt) || !isSalt(s.macSalt) {
		return nil, errForm
	}
	for i, at := range map[int]*[]byte{3: &s.iv, 4: &s.text, 7: &s.mac} {
		b, err := decode(part[i])
		if err != nil {
			return nil, errForm
		}
		*at = b
	}
	if len(s.iv) != aes.BlockSize || len(s.text) == 0 || len(s.text)%aes.BlockSize != 0 || len(s.mac) != sha256.Size {
		return nil, errForm
	}
	if part[5] == "" {
		return nil, errNoEnd
	}
	ms, err := strconv.ParseUint(part[5], 10, 63)
	if err != nil || part[5][0] == '0' || part[5][0] == '+' || ms > lastMoment {
		return nil, errForm
	}
	s.ends = time.UnixMilli(int64(ms))
	return s, nil
}

func decode(part string) ([]byte, error) {
	if !credential.Canonical(part) {
		return nil, errForm
	}
	b, err := base64.RawURLEncoding.DecodeString(part)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errForm, err)
	}
	return b, nil
}

func isSalt(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return len(s) == saltSize
}

// open checks the seal before anything is decrypted.
func (s *sealed) open(password []byte) ([]byte, error) {
	integrity, err := derive(password, s.macSalt)
	if err != nil {
		return nil, err
	}
	m := hmac.New(sha256.New, integrity)
	m.Write([]byte(s.signed))
	if !hmac.Equal(m.Sum(nil), s.mac) {
		return nil, errSeal
	}
	key, err := derive(password, s.salt)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("aes: %w", err)
	}
	plain := bytes.Clone(s.text)
	cipher.NewCBCDecrypter(block, s.iv).CryptBlocks(plain, plain)
	pad := int(plain[len(plain)-1]) // PKCS #7 (RFC 5652, section 6.3); it is under the MAC
	if pad == 0 || pad > aes.BlockSize || !bytes.Equal(plain[len(plain)-pad:], bytes.Repeat([]byte{byte(pad)}, pad)) {
		return nil, errSeal
	}
	return plain[:len(plain)-pad], nil
}

// derive makes a key as iron-webcrypto does: PBKDF2 with SHA-1, one iteration
// and the digits of the salt.
func derive(password []byte, salt string) ([]byte, error) {
	key, err := pbkdf2.Key(sha1.New, string(password), []byte(salt), 1, 32)
	if err != nil {
		return nil, fmt.Errorf("key derivation: %w", err)
	}
	return key, nil
}
