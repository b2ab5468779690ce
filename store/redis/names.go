package redis

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"hash"
	"sync"

	"claviger.dev/claviger/admit"
)

// names makes the names of keys. A window's is a keyed hash of 144 bits: who
// reads Redis sees neither people nor addresses, nor can guess them.
type names struct {
	window, use, open, holds, marker, place string
	// mark tells one NameKey from another without telling either.
	mark string
	pool *sync.Pool
}

type naming struct {
	mac hash.Hash
	buf []byte
	sum [sha256.Size]byte
}

func newNames(prefix string, key []byte) names {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte("claviger redis mark"))
	return names{
		window: prefix + "w:", use: prefix + "u:", open: prefix + "open", holds: prefix + "holds", marker: prefix + "key", place: prefix + "place",
		mark: hex.EncodeToString(mac.Sum(nil)[:8]),
		pool: &sync.Pool{New: func() any { return &naming{mac: hmac.New(sha256.New, key)} }},
	}
}

// of is the name of the window that a demand takes from.
func (n *names) of(d *admit.Demand) string {
	x := n.pool.Get().(*naming)
	defer n.pool.Put(x)
	x.buf = d.AppendIdentity(append(x.buf[:0], "claviger redis window\x00"...))
	return x.name(n.window)
}

// ofUse is the name of the count of a credential.
func (n *names) ofUse(id string) string {
	x := n.pool.Get().(*naming)
	defer n.pool.Put(x)
	x.buf = append(append(x.buf[:0], "claviger redis use\x00"...), id...)
	return x.name(n.use)
}

// name is the name for what stands in buf.
func (x *naming) name(prefix string) string {
	x.mac.Reset()
	x.mac.Write(x.buf)
	sum := x.mac.Sum(x.sum[:0])
	x.buf = base64.RawURLEncoding.AppendEncode(append(x.buf[:0], prefix...), sum[:18])
	return string(x.buf)
}
