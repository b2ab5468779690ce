package redact

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"claviger.dev/claviger"
	"claviger.dev/claviger/internal/seal"
)

// shortest is the least length of a secret that a Tripwire knows. Shorter ones
// would stop innocent text; whoever makes or reads secrets has to refuse them.
const shortest = 8

// ErrSecret says that one of our own keys was about to go out.
var ErrSecret = errors.New("redact: one of our own keys was stopped on its way out")

// Tripwire finds a set of secrets in whatever is about to leave, by their exact
// value: as they are, and in the escaped and base64 forms in which a program
// may write them. Secrets shorter than 8 bytes are ignored. It does not change
// and may be used concurrently. A nil Tripwire knows no secret.
//
// The search looks at the last two bytes of a piece as long as the shortest
// form, and on almost any text sees at once that no form can end near there,
// so it skips most bytes unread. How often it does not is bounded, and so the
// time it takes is, too: each position is looked at once, and compared with the
// forms whose beginning has the same last bytes.
type Tripwire struct {
	// forms are sorted by length, each once.
	forms []string
	// piece is the length of the shortest form, longest that of the longest.
	piece, longest int
	// skip says by the hash of two bytes how far the end of the piece can move
	// on. 0: a form may begin piece bytes before.
	skip []uint8
	// ends lists by the same hash the forms of which the first piece bytes end
	// so.
	ends map[uint16][]string
	// member is the set of all bytes in forms, and starts lists the forms by
	// their first: for what to hold back.
	member [256]bool
	starts [256][]string
}

// NewTripwire returns a Tripwire for secrets.
func NewTripwire(secrets []claviger.Secret) *Tripwire {
	t := &Tripwire{}
	for _, s := range secrets {
		if b := s.Reveal(seal.ForReveal()); len(b) >= shortest {
			t.forms = append(t.forms, forms(b)...)
		}
	}
	if len(t.forms) == 0 {
		return nil
	}
	slices.SortFunc(t.forms, func(a, b string) int { return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b)) })
	t.forms = slices.CompactFunc(t.forms, func(a, b string) bool { return a == b })
	t.piece, t.longest = len(t.forms[0]), len(t.forms[len(t.forms)-1])
	t.index()
	return t
}

// Format implements fmt.Formatter: whatever holds a Tripwire can be formatted
// and shows none of what it knows.
func (*Tripwire) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "[tripwire]") }

// index fills the tables: Wu and Manber, "A fast algorithm for multi-pattern
// searching" (1994).
func (t *Tripwire) index() {
	far := uint8(min(t.piece-1, 255))
	t.skip = bytes.Repeat([]byte{far}, 1<<16)
	t.ends = map[uint16][]string{}
	for _, f := range t.forms {
		for i := 1; i < t.piece; i++ {
			h := pair(f[i-1], f[i])
			t.skip[h] = min(t.skip[h], uint8(min(t.piece-1-i, 255)))
		}
		h := pair(f[t.piece-2], f[t.piece-1])
		t.ends[h] = append(t.ends[h], f)
		t.starts[f[0]] = append(t.starts[f[0]], f)
		for i := range len(f) {
			t.member[f[i]] = true
		}
	}
}

func pair(a, b byte) uint16 { return uint16(a)<<8 | uint16(b) }

// Contains reports whether b holds a secret.
func (t *Tripwire) Contains(b []byte) bool {
	if t == nil {
		return false
	}
	at, _ := find(t, b)
	return at >= 0
}

// ContainsString is Contains for text, and copies nothing.
func (t *Tripwire) ContainsString(s string) bool {
	if t == nil || len(s) < t.piece {
		return false
	}
	at, _ := find(t, s)
	return at >= 0
}

// find returns where the first form is, and its length, or −1.
func find[T string | []byte](t *Tripwire, b T) (at, length int) {
	skip := t.skip
	for end := t.piece - 1; end < len(b); {
		h := pair(b[end-1], b[end])
		if n := skip[h]; n > 0 {
			end += int(n)
			continue
		}
		rest := b[end+1-t.piece:]
		for _, f := range t.ends[h] {
			if len(rest) >= len(f) && string(rest[:len(f)]) == f {
				return end + 1 - t.piece, len(f)
			}
		}
		end++
	}
	return -1, 0
}

// Replace returns s with every secret in it replaced by "[secret]".
func (t *Tripwire) Replace(s string) string {
	if t == nil || len(s) < t.piece {
		return s
	}
	at, n := find(t, s)
	if at < 0 {
		return s
	}
	var b strings.Builder
	for at >= 0 {
		b.WriteString(s[:at])
		b.WriteString(mark)
		s = s[at+n:]
		at, n = find(t, s)
	}
	b.WriteString(s)
	return b.String()
}

// begun returns how many of the last bytes of b may be the beginning of a
// form, and how many of a form's bytes they would lack.
func (t *Tripwire) begun(b []byte) (n, lack int) {
	from := len(b)
	for from > 0 && len(b)-from < t.longest-1 && t.member[b[from-1]] {
		from--
	}
	for ; from < len(b); from++ {
		tail := b[from:]
		for _, f := range t.starts[tail[0]] {
			if len(f) > len(tail) && f[:len(tail)] == string(tail) {
				return len(tail), len(f) - len(tail)
			}
		}
	}
	return 0, 0
}

// Stream begins the watch over one stream of bytes.
func (t *Tripwire) Stream() *Passage { return &Passage{t: t} }

// Passage is a stream on its way through a Tripwire. It is not for concurrent
// use.
type Passage struct {
	t *Tripwire
	// held is the beginning of a form, or nothing; joined is what it was put
	// together with last.
	held, joined []byte
	err          error
}

// Next returns what may go out of the stream once p has been added to it:
// everything but the last bytes if those may be the beginning of a secret. Where
// nothing was held back before, that is a part of p itself, and nothing is copied.
// What is returned is good until the next call, or as long as p is not changed.
// When there is a secret Next returns ErrSecret and nothing of p, and every later
// call fails, too: nothing of the secret is ever sent, not even its first byte.
func (w *Passage) Next(p []byte) (out []byte, err error) {
	if w.t == nil {
		return p, nil
	}
	if w.err != nil {
		return nil, w.err
	}
	b := p
	if len(w.held) > 0 {
		w.joined = append(append(w.joined[:0], w.held...), p...)
		b = w.joined
	}
	if at, _ := find(w.t, b); at >= 0 {
		return nil, w.fail()
	}
	n, _ := w.t.begun(b)
	w.held = append(w.held[:0], b[len(b)-n:]...)
	return b[:len(b)-n], nil
}

// Pass is Next with what may go out appended to dst.
func (w *Passage) Pass(dst, p []byte) (out []byte, err error) {
	b, err := w.Next(p)
	return append(dst, b...), err
}

// Flush appends what was held back, at the end of the stream. When that is the
// greater part of a secret, it is not sent either, and the error is ErrSecret.
func (w *Passage) Flush(dst []byte) (out []byte, err error) {
	if w.err != nil || len(w.held) == 0 {
		return dst, w.err
	}
	if n, lack := w.t.begun(w.held); n > lack && n >= 2*shortest {
		return dst, w.fail()
	}
	dst = append(dst, w.held...)
	w.held = w.held[:0]
	return dst, nil
}

func (w *Passage) fail() error {
	clear(w.held)
	clear(w.joined)
	w.held, w.joined, w.err = nil, nil, ErrSecret
	return ErrSecret
}
