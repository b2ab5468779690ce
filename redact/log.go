package redact

import (
	"context"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"claviger.dev/claviger"
	"claviger.dev/claviger/internal/detect"
)

// mark stands where a secret stood.
const mark = "[secret]"

// Text returns s with everything that looks like a key, an account's id or
// another secret replaced by [secret].
func Text(s string) string { return detect.Replace(s, mark) }

// NewHandler wraps a log handler. Messages, the names and the values of
// attributes are scrubbed of the tripwire's secrets by value and of everything
// that looks like a secret; attributes whose name says that they are private
// are masked whole. What is no text, number, time or group is written as text.
// t may be nil.
func NewHandler(next slog.Handler, t *Tripwire) slog.Handler {
	return NewLiveHandler(next, func() *Tripwire { return t })
}

// NewLiveHandler is NewHandler with a tripwire that is asked for anew for each
// line, so that a log outlives the secrets it was opened with. Attributes that
// With adds are scrubbed when they are added.
func NewLiveHandler(next slog.Handler, t func() *Tripwire) slog.Handler {
	return NewWatchedHandler(next, t, nil)
}

// NewWatchedHandler is NewLiveHandler that calls hit each time that it kept one of
// the tripwire's secrets out of the log. hit must not log; nil is not called.
func NewWatchedHandler(next slog.Handler, t func() *Tripwire, hit func()) slog.Handler {
	if hit == nil {
		hit = func() {}
	}
	return &handler{next: next, trip: t, hit: hit}
}

type handler struct {
	next slog.Handler
	trip func() *Tripwire
	hit  func()
}

// Enabled implements slog.Handler.
func (h *handler) Enabled(ctx context.Context, l slog.Level) bool { return h.next.Enabled(ctx, l) }

// Handle implements slog.Handler.
func (h *handler) Handle(ctx context.Context, r slog.Record) error {
	clean := slog.NewRecord(r.Time, r.Level, h.scrub(r.Message), r.PC)
	r.Attrs(func(a slog.Attr) bool {
		clean.AddAttrs(h.attr(a))
		return true
	})
	if err := h.next.Handle(ctx, clean); err != nil {
		return fmt.Errorf("redact: writing the log: %w", err)
	}
	return nil
}

// WithAttrs implements slog.Handler.
func (h *handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &handler{next: h.next.WithAttrs(h.attrs(attrs)), trip: h.trip, hit: h.hit}
}

// WithGroup implements slog.Handler.
func (h *handler) WithGroup(name string) slog.Handler {
	return &handler{next: h.next.WithGroup(h.scrub(name)), trip: h.trip, hit: h.hit}
}

// scrub takes secrets out of s, and what would let a line look like another one or
// like something else on a terminal.
func (h *handler) scrub(s string) string {
	clean := h.trip().Replace(s)
	if clean != s {
		h.hit()
	}
	return visible(Text(clean))
}

// visible writes control characters, marks that turn the direction of text, and
// bytes that are no UTF-8 as escapes, where the text has any. Line breaks and tabs
// stay, which every handler of slog escapes itself.
func visible(s string) string {
	if strings.IndexFunc(s, hidden) < 0 {
		return s
	}
	var b strings.Builder
	for i, r := range s {
		switch {
		case !hidden(r):
			b.WriteRune(r)
		case r == utf8.RuneError && !strings.HasPrefix(s[i:], "\uFFFD"):
			fmt.Fprintf(&b, `\x%02x`, s[i])
		default:
			b.WriteString(strings.Trim(strconv.QuoteRuneToASCII(r), "'"))
		}
	}
	return b.String()
}

func hidden(r rune) bool {
	return unicode.IsControl(r) && r != '\n' && r != '\t' && r != '\r' || unicode.Is(unicode.Cf, r) || r == '\u2028' || r == '\u2029' || r == utf8.RuneError
}

// credentials and contents are words in the names of attributes. A name with
// one of the first anywhere, or with one of the second at its end, is masked
// whatever its value looks like: "session_cookie", "prompt_text", "user.input".
var (
	credentials = map[string]bool{
		"authorization": true, "cookie": true, "cookies": true, "secret": true, "secrets": true, "apikey": true,
		"password": true, "passwd": true, "passphrase": true, "credential": true, "credentials": true,
		"token": true, "prompt": true, "prompts": true,
	}
	contents = map[string]bool{
		"ticket": true, "body": true, "content": true, "input": true, "output": true, "messages": true,
		"instructions": true, "answer": true, "text": true, "transcript": true, "header": true, "headers": true,
		"session": true, "jwt": true, "bearer": true,
	}
)

// private reports whether the name of an attribute says that its value is
// nobody's business.
func private(name string) bool {
	name = strings.ToLower(name)
	if strings.HasSuffix(name, "api_key") || strings.HasSuffix(name, "api-key") {
		return true
	}
	last := ""
	for w := range strings.FieldsFuncSeq(name, func(r rune) bool { return strings.ContainsRune("_-. ", r) }) {
		if credentials[w] {
			return true
		}
		last = w
	}
	return contents[last]
}

func (h *handler) attrs(as []slog.Attr) []slog.Attr {
	clean := make([]slog.Attr, len(as))
	for i, a := range as {
		clean[i] = h.attr(a)
	}
	return clean
}

func (h *handler) attr(a slog.Attr) slog.Attr {
	v := a.Value.Resolve()
	name := h.scrub(a.Key)
	switch v.Kind() {
	case slog.KindString:
		return slog.Attr{Key: name, Value: h.text(a.Key, v.String())}
	case slog.KindGroup:
		if private(a.Key) {
			return slog.String(name, mark)
		}
		return slog.Attr{Key: name, Value: slog.GroupValue(h.attrs(v.Group())...)}
	case slog.KindAny:
		if ref, ok := v.Any().(claviger.Ref); ok {
			return slog.String(name, h.scrub(string(ref)))
		}
		return slog.Attr{Key: name, Value: h.text(a.Key, format(v.Any()))}
	default:
		// Numbers, times and truths tell nothing, whatever they are called.
		return slog.Attr{Key: name, Value: v}
	}
}

// text masks or scrubs one value. A reference to a secret is what the operator
// needs to read, and is safe to print.
func (h *handler) text(name, s string) slog.Value {
	if private(name) && !isRef(s) {
		return slog.StringValue(mark)
	}
	return slog.StringValue(h.scrub(s))
}

func isRef(s string) bool { return strings.HasPrefix(s, "env:") || strings.HasPrefix(s, "file:") }

// format writes a value as text. Bytes are written as what they spell, so that
// they can be searched.
func format(v any) string {
	if b, ok := v.([]byte); ok {
		return string(b)
	}
	return fmt.Sprintf("%+v", v)
}
