package keys

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"hash"
	"sync"

	"claviger.dev/claviger"
	"claviger.dev/claviger/internal/seal"
)

// A pseudonym is 128 bits of the keyed hash, in 22 characters.
const (
	pseudonymBits   = 128
	pseudonymLength = 22
)

// Identity makes the names by which people are known outside of the gateway, in
// logs, in stored rows and as safety identifier. It is for concurrent use.
type Identity struct{ macs sync.Pool }

// mac is a keyed hash with the room that a pseudonym needs.
type mac struct {
	hash.Hash
	in  []byte
	sum [sha256.Size]byte
	out [pseudonymLength]byte
}

// NewIdentity returns an Identity with the identity key, whose strength is
// checked by Strength. A trailing newline is left out. Without a key it takes a
// random one, so that no pseudonym can be guessed, and none lasts longer than
// the process.
func NewIdentity(key claviger.Secret) *Identity {
	b := trimNewline(key.Reveal(seal.ForReveal()))
	if len(b) == 0 {
		b = []byte(rand.Text())
	}
	own := claviger.NewSecret(b)
	id := &Identity{}
	id.macs.New = func() any { return &mac{Hash: hmac.New(sha256.New, own.Reveal(seal.ForReveal()))} }
	return id
}

// Pseudonym names a person by tenant, realm and subject: the same one always by
// the same name, and nobody without the key can tell who it is, or that it is
// the same person in another installation.
func (id *Identity) Pseudonym(p claviger.Principal) string {
	m, _ := id.macs.Get().(*mac)
	m.Reset()
	m.in = m.in[:0]
	for _, part := range [...]string{p.Tenant, p.Realm, p.Subject} {
		m.in = binary.AppendUvarint(m.in, uint64(len(part)))
		m.in = append(m.in, part...)
	}
	_, _ = m.Write(m.in)
	base64.RawURLEncoding.Encode(m.out[:], m.Sum(m.sum[:0])[:pseudonymBits/8])
	name := string(m.out[:])
	clear(m.in)
	id.macs.Put(m)
	return name
}
