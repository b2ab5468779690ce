package claviger

import (
	"log/slog"
	"time"
)

// Event is the account of one request: who, what, how it ended and what it
// cost. It holds no prompt, no answer, no header and no address.
type Event struct {
	RequestID string
	Started   time.Time
	Duration  time.Duration
	// FirstByte is how long until the first byte went to the caller.
	FirstByte time.Duration
	Route     string
	// Subject is the caller's pseudonym, empty before authentication.
	Subject  string
	Realm    string
	Method   string
	Plan     string
	Rule     string
	Endpoint Endpoint
	Action   string
	Model    string
	Stream   bool
	Status   int
	Code     Code
	Units    Units
	// Estimated says that the units are an estimate, because the provider
	// reported none.
	Estimated bool
	Cost      Money
	// CallerGone says that the caller left before the end.
	CallerGone bool
	// Tripwire says where one of our own secrets was stopped on its way to the
	// caller: "answer", "stream", "error", "page", "file" or "header".
	Tripwire string
	// Cause is the log's side of an error.
	Cause string
}

// LogValue implements slog.LogValuer: one wide line.
func (e *Event) LogValue() slog.Value {
	attrs := []slog.Attr{
		slog.String("request_id", e.RequestID), slog.String("route", e.Route),
		slog.Int("status", e.Status), slog.Duration("duration", e.Duration),
	}
	add := func(k, v string) {
		if v != "" {
			attrs = append(attrs, slog.String(k, v))
		}
	}
	add("code", string(e.Code))
	add("subject", e.Subject)
	add("realm", e.Realm)
	add("method", e.Method)
	add("plan", e.Plan)
	add("rule", e.Rule)
	add("endpoint", string(e.Endpoint))
	add("action", e.Action)
	add("model", e.Model)
	if e.Stream {
		attrs = append(attrs, slog.Bool("stream", true), slog.Duration("first_byte", e.FirstByte))
	}
	if len(e.Units) > 0 {
		attrs = append(attrs, slog.Int64("input_tokens", e.Units.Get(UnitInput)),
			slog.Int64("output_tokens", e.Units.Get(UnitOutput)), slog.Bool("estimated", e.Estimated))
	}
	for _, k := range []UnitKind{UnitImageInput, UnitAudioInput, UnitAudioOutput, UnitSeconds, UnitCharacters} {
		if n := e.Units.Get(k); n > 0 {
			attrs = append(attrs, slog.Int64(string(k), n))
		}
	}
	if n := e.Units.ToolCalls(); n > 0 {
		attrs = append(attrs, slog.Int64(string(UnitToolCalls), n))
	}
	if e.Cost.Currency != "" {
		attrs = append(attrs, slog.Int64("cost_micros", e.Cost.Micros))
	}
	if e.CallerGone {
		attrs = append(attrs, slog.Bool("caller_gone", true))
	}
	add("tripwire", e.Tripwire)
	add("cause", e.Cause)
	return slog.GroupValue(attrs...)
}
