package redact

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"claviger.dev/claviger"
	"claviger.dev/claviger/gatetest"
)

type loud struct{ Key, Note string }

type wrapper struct {
	inner *loud
	err   error
}

// TestNothingOfASecretIsLogged sends canaries, by every way into a log, through
// both of the standard handlers.
func TestNothingOfASecretIsLogged(t *testing.T) {
	// The first is known by value alone, the second by its shape alone.
	known, shaped := gatetest.NewCanary("plain "), gatetest.NewCanary("sk-proj-")
	trip := NewTripwire([]claviger.Secret{known.Secret()})
	var sinks gatetest.Sinks
	for _, next := range map[string]slog.Handler{
		"text": slog.NewTextHandler(sinks.Sink("text"), &slog.HandlerOptions{Level: slog.LevelDebug, AddSource: true}),
		"json": slog.NewJSONHandler(sinks.Sink("json"), &slog.HandlerOptions{Level: slog.LevelDebug}),
	} {
		log := slog.New(NewHandler(next, trip))
		for _, c := range []gatetest.Canary{known, shaped} {
			k := c.Value()
			log.Info("message with " + k)
			log.Error("failed", "error", fmt.Errorf("outer %q: %w", "x", errors.New("upstream said "+k)))
			log.Info("values", "string", "a "+k+" b", "bytes", []byte(k), "any", loud{k, "n"}, "pointer", &loud{k, "n"}, "map", map[string]string{k: k},
				"slice", []string{k}, "wrapper", wrapper{&loud{k, ""}, errors.New(k)}, "handle", c.Secret(), k, "in the name")
			log.Info("nested", slog.Group("a", slog.Group("b", "c", k)), slog.Group("prompt", "text", "private words"))
			log.With("with", k).WithGroup("g "+k).With("deep", k).Debug("debug")
			log.InfoContext(context.Background(), "valuer", "v", valuer{k})
			log.Info("quoted", "json", fmt.Sprintf("%q", "\n"+k+"\n"))
		}
		log.Info("fields", "Authorization", "Basic hidden-value", "set-cookie", "v=hidden-value", "session_token", "hidden-value", "user.prompt", "private words",
			"input", "private words", "messages", []string{"private words"}, "api_key", "hidden-value", "clientSecret.secret", "hidden-value")
	}
	sinks.Absent(t, known, shaped)
	for _, name := range []string{"text", "json"} {
		out := string(sinks.Sink(name).Bytes())
		for _, gone := range []string{"private words", "hidden-value"} {
			if strings.Contains(out, gone) {
				t.Errorf("%s: a private field is shown: %q", name, gone)
			}
		}
	}
}

type valuer struct{ s string }

func (v valuer) LogValue() slog.Value { return slog.GroupValue(slog.String("inner", v.s)) }

func TestWhatTheOperatorNeedsIsLogged(t *testing.T) {
	var b bytes.Buffer
	log := slog.New(NewHandler(slog.NewTextHandler(&b, nil), nil))
	e := &claviger.Event{
		RequestID: "req_1", Route: "/v1/responses", Status: 200, Duration: 5 * time.Millisecond, Subject: "3kqabc", Model: "gpt-4.1-mini-2025-04-14",
		Units: claviger.Units{{Kind: claviger.UnitInput, Amount: 12}, {Kind: claviger.UnitOutput, Amount: 34}}, Cost: claviger.Money{Micros: 7, Currency: "USD"},
	}
	log.Info("call", "event", e, "secret", claviger.Ref("env:OPENAI_API_KEY"), "secret_ref", "file:/run/secrets/key", "error", errors.New("connection refused"), "nil", nil)
	for _, want := range []string{
		"request_id=req_1", "input_tokens=12", "output_tokens=34", "cost_micros=7", "gpt-4.1-mini-2025-04-14", "subject=3kqabc",
		"secret=env:OPENAI_API_KEY", "secret_ref=file:/run/secrets/key", `error="connection refused"`, "duration=5ms",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("%s is missing in %s", want, b.String())
		}
	}
}

// TestNothingHiddenIsLogged: what moves a terminal's cursor, turns the direction of
// text or is no text is shown as what it is, in every place of a line.
func TestNothingHiddenIsLogged(t *testing.T) {
	for name, make := range map[string]func(*bytes.Buffer) slog.Handler{
		"text": func(b *bytes.Buffer) slog.Handler { return slog.NewTextHandler(b, nil) },
		"json": func(b *bytes.Buffer) slog.Handler { return slog.NewJSONHandler(b, nil) },
	} {
		for _, bad := range []string{"\x1b[2K", "\r\n", "\x00", "\x7f", "\u0085", "\u009b31m", "\u202e", "\u2066", "\u200b", "\ufeff", "\u2028", "\xff\xfe", "\x9b"} {
			var b bytes.Buffer
			log := slog.New(NewHandler(make(&b), nil))
			log.With("w"+bad, "x").WithGroup("g"+bad).Info("a"+bad+"b", "k"+bad, "v"+bad, "bytes", []byte(bad), "error", errors.New(bad))
			line, ended := strings.CutSuffix(b.String(), "\n")
			if !ended || !utf8.ValidString(line) || strings.IndexFunc(line, func(r rune) bool { return hidden(r) || r == '\n' || r == '\r' || r == '\t' }) >= 0 {
				t.Errorf("%s: %q is there as it is: %q", name, bad, line)
			}
		}
		var b bytes.Buffer
		slog.New(NewHandler(make(&b), nil)).Info("gr\u00fc\u00dfe \u4f60\u597d \U0001F44B")
		if !strings.Contains(b.String(), "gr\u00fc\u00dfe \u4f60\u597d \U0001F44B") {
			t.Errorf("%s: plain words are escaped: %s", name, b.String())
		}
	}
}

func TestHitsAreTold(t *testing.T) {
	known := gatetest.NewCanary("plain ")
	trip, hits := NewTripwire([]claviger.Secret{known.Secret()}), 0
	log := slog.New(NewWatchedHandler(slog.NewTextHandler(&bytes.Buffer{}, nil), func() *Tripwire { return trip }, func() { hits++ }))
	log.With("a", known.Value()).WithGroup("g").Info("m "+known.Value(), "b", 1)
	log.Info("nothing")
	if hits != 2 {
		t.Errorf("%d hits, want 2", hits)
	}
}

func TestLiveHandler(t *testing.T) {
	old, fresh := gatetest.NewCanary("old "), gatetest.NewCanary("new ")
	trip := NewTripwire([]claviger.Secret{old.Secret()})
	var sinks gatetest.Sinks
	log := slog.New(NewLiveHandler(slog.NewTextHandler(sinks.Sink("log"), nil), func() *Tripwire { return trip })).With("a", 1)
	log.Info(old.Value())
	trip = NewTripwire([]claviger.Secret{fresh.Secret()})
	log.Info(fresh.Value())
	sinks.Absent(t, old, fresh)
}

func TestHandlerPassesErrorsAndLevels(t *testing.T) {
	h := NewHandler(broken{}, nil)
	if h.Enabled(t.Context(), slog.LevelInfo) {
		t.Error("a level that is off is on")
	}
	if err := h.Handle(t.Context(), slog.NewRecord(time.Time{}, slog.LevelInfo, "m", 0)); !errors.Is(err, errBroken) {
		t.Errorf("Handle = %v", err)
	}
}

var errBroken = errors.New("broken")

type broken struct{ slog.Handler }

func (broken) Enabled(context.Context, slog.Level) bool { return false }

func (broken) Handle(context.Context, slog.Record) error { return errBroken }

func TestText(t *testing.T) {
	if got := Text("Incorrect API key provided: sk-ab" + strings.Repeat("*", 30) + "wxyz."); got != "Incorrect API key provided: [secret]." {
		t.Errorf("Text = %q", got)
	}
	if got := Text("nothing here"); got != "nothing here" {
		t.Errorf("Text = %q", got)
	}
}

func BenchmarkHandler(b *testing.B) {
	trip := wire(canary("sk-proj-"), canary(""))
	h := NewHandler(slog.NewTextHandler(&bytes.Buffer{}, nil), trip)
	e := &claviger.Event{RequestID: "req_1", Route: "/v1/responses", Status: 200, Subject: "3kqabc", Model: "gpt-4.1-mini"}
	r := slog.NewRecord(time.Unix(0, 0), slog.LevelInfo, "request", 0)
	r.AddAttrs(slog.Any("event", e))
	b.ReportAllocs()
	for b.Loop() {
		_ = h.Handle(b.Context(), r)
	}
}
