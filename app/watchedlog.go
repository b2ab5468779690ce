package app

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"time"

	"claviger.dev/claviger"
)

// watchedLog writes the log for somebody who watches it while they develop: a
// request is one short line, with what to do where it failed. It shows what an
// Event has and nothing else.
type watchedLog struct {
	w     io.Writer
	level slog.Level
	attrs []slog.Attr
}

// Enabled implements slog.Handler.
func (h *watchedLog) Enabled(_ context.Context, l slog.Level) bool { return l >= h.level }

// WithAttrs implements slog.Handler.
func (h *watchedLog) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &watchedLog{w: h.w, level: h.level, attrs: append(slices.Clip(h.attrs), attrs...)}
}

// WithGroup implements slog.Handler: names of groups help nobody who watches.
func (h *watchedLog) WithGroup(string) slog.Handler { return h }

// Handle implements slog.Handler.
func (h *watchedLog) Handle(_ context.Context, r slog.Record) error {
	var list []slog.Attr
	r.Attrs(func(a slog.Attr) bool {
		list = appendFlat(list, a)
		return true
	})
	line := messageLine(r, append(slices.Clip(h.attrs), list...))
	if r.Message == "request" {
		line = requestLine(list)
	}
	if line == "" {
		return nil
	}
	_, err := io.WriteString(h.w, r.Time.Format(time.TimeOnly)+"  "+line+"\n")
	return err
}

// appendFlat takes groups apart.
func appendFlat(list []slog.Attr, a slog.Attr) []slog.Attr {
	v := a.Value.Resolve()
	if v.Kind() != slog.KindGroup {
		return append(list, slog.Attr{Key: a.Key, Value: v})
	}
	for _, inner := range v.Group() {
		list = appendFlat(list, inner)
	}
	return list
}

func messageLine(r slog.Record, list []slog.Attr) string {
	var b strings.Builder
	if r.Level >= slog.LevelWarn {
		b.WriteString(strings.ToLower(r.Level.String()) + ": ")
	}
	b.WriteString(r.Message)
	for _, a := range list {
		// Problems of a configuration come line by line.
		fmt.Fprintf(&b, "\n          %s: %s", a.Key, strings.ReplaceAll(a.Value.String(), "\n", "\n          "))
	}
	return b.String()
}

// requestLine is who, what, tokens, cost, time and how it ended.
func requestLine(list []slog.Attr) string {
	at := map[string]slog.Value{}
	for _, a := range list {
		at[a.Key] = a.Value
	}
	text := func(key string) string {
		if v, ok := at[key]; ok {
			return v.String()
		}
		return ""
	}
	words := []string{text("status"), who(text), orElse(text("action"), orElse(text("endpoint"), text("route")))}
	if m := text("model"); m != "" {
		words = append(words, m)
	}
	if in, ok := at["input_tokens"]; ok && in.Kind() == slog.KindInt64 && at["output_tokens"].Kind() == slog.KindInt64 {
		words = append(words, fmt.Sprintf("%d in, %d out", in.Int64(), at["output_tokens"].Int64()))
	}
	if c, ok := at["cost_micros"]; ok && c.Kind() == slog.KindInt64 {
		words = append(words, fmt.Sprintf("$%.6f", float64(c.Int64())/1e6))
	}
	if d, ok := at["duration"]; ok && d.Kind() == slog.KindDuration {
		words = append(words, fmt.Sprintf("%.1fms", d.Duration().Seconds()*1000))
	}
	if text("caller_gone") != "" {
		words = append(words, "the caller left")
	}
	line := strings.Join(slices.DeleteFunc(words, func(w string) bool { return w == "" }), "  ")
	if code := text("code"); code != "" {
		line += "\n          " + code
		if cause := strings.TrimPrefix(text("cause"), code+": "); cause != "" && cause != code {
			line += ": " + cause
		}
		if advice := adviceOn(claviger.Code(code), text("cause")); advice != "" {
			line += "\n          -> " + advice
		}
	}
	return line
}

// who is the caller by the beginning of their pseudonym, or by the click.
func who(text func(string) string) string {
	subject := text("subject")
	switch {
	case subject == "":
		return "nobody"
	case text("method") == devUserMethod:
		return devUserMethod
	case len(subject) > 12:
		return subject[:12]
	}
	return subject
}

func orElse(s, other string) string {
	if s != "" {
		return s
	}
	return other
}

// adviceOn is what a beginner most likely has to do about a failure.
func adviceOn(code claviger.Code, cause string) string {
	switch code {
	case claviger.CodeMisconfigured:
		return "put OPENAI_API_KEY=… into .env.claviger.local; it takes effect at once"
	case claviger.CodeUnauthenticated:
		switch {
		case strings.Contains(cause, "not sealed with a configured secret"):
			return "the app and the gateway have different secrets: both must read the same AUTH_SECRET, and sign in again afterwards"
		case strings.Contains(cause, "no credential"):
			return "nobody is signed in in this browser, or the app sends no session along"
		}
		return "sign in again"
	case claviger.CodeCSRF:
		return "the page's origin is not in origins, or the cookie came from a server: add the origin, or let the server send a bearer"
	case claviger.CodeIdentityUnavailable:
		return "the app did not say who this is: does it run, and is forward.url right?"
	case claviger.CodeModelNotAllowed:
		return "add the model to the plan, and a price under prices if it has none"
	case claviger.CodeForbidden:
		return "no plan fits this person, or the plan does not have this; 'claviger explain' says which"
	case claviger.CodeNotFound:
		return "compare the path with actions and proxy.endpoints in the configuration"
	case claviger.CodeBudgetExhausted, claviger.CodeRateLimited:
		return "the limits of the plan are reached; raise them in the configuration, which takes effect at once"
	default:
		return ""
	}
}
