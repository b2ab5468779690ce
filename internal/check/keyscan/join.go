package keyscan

import (
	"encoding/base64"
	"strings"

	"claviger.dev/claviger/internal/detect"
)

// Joined is a text in which pieces of strings stand together that code puts
// together when it runs: "ab"+"cd", ["ab","cd"].join("").
type Joined struct {
	Text string
	// cuts are where something was left out: at a byte of Text, so much of the
	// original had gone.
	cuts []cut
}

type cut struct{ at, gone int }

// Join puts pieces together. It reports whether there were any.
func Join(text string) (Joined, bool) {
	var j Joined
	var b strings.Builder
	from, gone := 0, 0
	for i := 0; i < len(text); i++ {
		if !quote(text[i]) {
			continue
		}
		end := junction(text, i)
		if end == 0 {
			continue
		}
		b.WriteString(text[from:i])
		gone += end - i
		j.cuts = append(j.cuts, cut{b.Len(), gone})
		from, i = end, end-1
	}
	if from == 0 {
		return Joined{}, false
	}
	b.WriteString(text[from:])
	j.Text = b.String()
	return j, true
}

// Offset is where a byte of the joined text stands in the original.
func (j Joined) Offset(at int) int {
	lo, hi := 0, len(j.cuts)
	for lo < hi {
		mid := (lo + hi) / 2
		if j.cuts[mid].at <= at {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	if lo == 0 {
		return at
	}
	return at + j.cuts[lo-1].gone
}

func quote(c byte) bool { return c == '"' || c == '\'' || c == '`' }

// junction is where the next piece begins when a string ends at i and another is
// joined to it, else 0.
func junction(text string, i int) int {
	at := blank(text, i+1)
	if at >= len(text) || text[at] != '+' && text[at] != ',' {
		return 0
	}
	at = blank(text, at+1)
	if at >= len(text) || !quote(text[at]) {
		return 0
	}
	return at + 1
}

func blank(text string, at int) int {
	for at < len(text) && at >= 0 && (text[at] == ' ' || text[at] == '\n' || text[at] == '\r' || text[at] == '\t') {
		at++
	}
	return at
}

// marks are the mark of OpenAI's keys in base64, at each of the offsets that it
// can have.
var marks = encodedMarks()

func encodedMarks() [3]string {
	var out [3]string
	for shift := range 3 {
		text := base64.RawStdEncoding.EncodeToString([]byte(strings.Repeat("\x00", shift) + "T3BlbkFJ"))
		first, last := []int{0, 2, 3}[shift], len(text)
		if (8+shift)%3 != 0 {
			last--
		}
		out[shift] = text[first:last]
	}
	return out
}

// encoded finds keys of OpenAI that stand in base64, as in Kubernetes Secrets.
func encoded(text string, found func(start, end int, key string, m detect.Match)) {
	for _, mark := range marks {
		for from := 0; ; {
			i := strings.Index(text[from:], mark)
			if i < 0 {
				break
			}
			start, end := from+i, from+i+len(mark)
			for start > 0 && end-start < 4096 && base64Byte(text[start-1]) {
				start--
			}
			for end < len(text) && end-start < 8192 && base64Byte(text[end]) {
				end++
			}
			from = end
			for skip := range 4 {
				word := text[min(start+skip, end):end]
				b, err := base64.RawStdEncoding.DecodeString(word[:len(word)/4*4])
				if err != nil {
					continue
				}
				plain := string(b)
				if ms := detect.Find(plain); len(ms) > 0 && ms[0].Kind == detect.OpenAI {
					found(start, end, plain, ms[0])
					break
				}
			}
		}
	}
}

func base64Byte(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '+' || c == '/'
}
