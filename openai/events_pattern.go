package openai

import (
	"bytes"
	"unicode/utf8"

	"claviger.dev/claviger/internal/jsonx"
)

const (
	maxPattern   = 2 << 10 // bytes of an event that is kept to compare with
	maxHoles     = 4
	maxHoleDigit = 15
)

// pattern is an event that passed, and what was written of it. The events of a
// stream say nearly the same: all but a piece of text, the number of the event
// and its padding. One that differs from the last in the values of those alone,
// and in them only by what needs no escape, is written from the pattern: what
// would be allowed of it, and in which order, is known. Everything else is parsed.
type pattern struct {
	in, out []byte
	// holes are where the values are that may differ, in the order of both.
	holes    []hole
	counting bool
}

// hole is one value that may differ, its quotes included: where it came from
// and where it was written.
type hole struct {
	do      handling
	in, out span
}

// note remembers a value that may be another in the next event.
func (b *rebuild) note(do handling, in span, begin int) {
	if !b.noting {
		return
	}
	b.holes = append(b.holes, hole{do, in, span{begin, len(b.out)}})
}

// back takes back what was written since mark. What was noted of it makes the
// event unfit for a pattern.
func (b *rebuild) back(mark int) {
	b.out = b.out[:mark]
	if n := len(b.holes); n > 0 && b.holes[n-1].out.to > mark {
		b.lost = true
	}
}

// learn makes a pattern of an event that was written, at mark in out. An event
// without text is rare and followed by no other of its kind.
func (p *pattern) learn(b *rebuild, data []byte, v jsonx.Value, out []byte, mark int) {
	p.holes = p.holes[:0]
	if len(out) == mark || b.lost || b.metered || len(b.text) == 0 || len(b.holes) > maxHoles || len(data) > maxPattern || v.Size() != len(data) {
		return
	}
	p.in = jsonx.Append(p.in[:0], v)
	if !bytes.Equal(p.in, data) {
		return // the places in one are not those in the other
	}
	p.out = append(p.out[:0], out[mark:]...)
	p.counting = b.counting
	for _, h := range b.holes {
		if c := p.in[h.in.from]; c != '"' && (c < '0' || c > '9') {
			continue // null
		}
		h.out.from -= mark
		h.out.to -= mark
		p.holes = append(p.holes, h)
	}
}

// append writes an event from the pattern. It reports false, and appends
// nothing, when the event is another one.
func (p *pattern) append(dst, data []byte, b *rebuild) ([]byte, bool) {
	if len(p.holes) == 0 {
		return dst, false
	}
	mark := len(dst)
	var values [maxHoles]span
	in, out, at := 0, 0, 0
	for i := range p.holes {
		h := &p.holes[i]
		same := p.in[in:h.in.from]
		if !bytes.HasPrefix(data[at:], same) {
			return dst[:mark], false
		}
		at += len(same)
		n := valueLike(p.in[h.in.from], data[at:])
		if n < 0 {
			return dst[:mark], false
		}
		dst = append(dst, p.out[out:h.out.from]...)
		dst = append(dst, data[at:at+n]...)
		values[i] = span{at, at + n}
		in, out, at = h.in.to, h.out.to, at+n
	}
	if !bytes.Equal(data[at:], p.in[in:]) {
		return dst[:mark], false
	}
	b.counting = p.counting
	for i := range p.holes {
		b.passed(p.holes[i].do, data[values[i].from:values[i].to])
	}
	return append(dst, p.out[out:]...), true
}

// valueLike is the length of the string or number at the beginning of b, of
// the kind that begins with first and of a form that is the same however it is
// written; −1 when it is none.
func valueLike(first byte, b []byte) int {
	if first != '"' {
		n := 0
		for n < len(b) && b[n] >= '0' && b[n] <= '9' {
			n++
		}
		if n == 0 || n > maxHoleDigit || n > 1 && b[0] == '0' {
			return -1
		}
		return n
	}
	if len(b) < len(`""`) || b[0] != '"' {
		return -1
	}
	n := bytes.IndexByte(b[1:], '"')
	if n < 0 || !standsPlain(b[1:1+n]) {
		return -1
	}
	return n + len(`""`)
}

// standsPlain reports whether s stands in a JSON string as it is.
func standsPlain(s []byte) bool {
	ascii := true
	for _, c := range s {
		if c < ' ' || c == '\\' {
			return false
		}
		ascii = ascii && c < utf8.RuneSelf
	}
	return ascii || utf8.Valid(s)
}
