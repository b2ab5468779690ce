package app

import (
	"context"
	"io"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"

	"claviger.dev/claviger/config"
	"claviger.dev/claviger/redact"
)

// logOutput is where the log goes and how, at this moment: a reload may change
// format and level. Whatever passes is scrubbed of keys.
type logOutput struct {
	w io.Writer
	// trip is asked for at each line, so that a reload's secrets are known.
	trip func() *redact.Tripwire
	// people says to write text for somebody who watches, in development.
	people bool
	// hit, when set, is told of each line out of which one was kept.
	hit  func()
	next atomic.Pointer[slog.Handler]
}

// newLogger makes the process's log, in the form that a configuration without
// log has until set says otherwise.
func newLogger(w io.Writer, trip func() *redact.Tripwire) (*slog.Logger, *logOutput) {
	o := &logOutput{w: &lockedWriter{w: w}, trip: trip}
	o.set(config.Log{})
	return slog.New(&liveHandler{out: o}), o
}

// set takes format and level from a configuration that was checked.
func (o *logOutput) set(c config.Log) {
	level := slog.LevelInfo
	if err := level.UnmarshalText([]byte(c.Level)); err != nil {
		level = slog.LevelInfo
	}
	options := &slog.HandlerOptions{Level: level}
	var h slog.Handler = slog.NewTextHandler(o.w, options)
	switch {
	case c.Format == "json":
		h = slog.NewJSONHandler(o.w, options)
	case o.people:
		h = &watchedLog{w: o.w, level: level}
	}
	o.next.Store(&h)
}

// lockedWriter keeps lines whole while two handlers write during a reload.
type lockedWriter struct {
	mu sync.Mutex
	w  io.Writer
}

// Write implements io.Writer.
func (l *lockedWriter) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}

// liveHandler writes each line by the handler and the tripwire that hold at
// that moment.
type liveHandler struct {
	out *logOutput
	// with are the attributes and groups of the logger, in their order.
	with []func(slog.Handler) slog.Handler
}

// Enabled implements slog.Handler.
func (h *liveHandler) Enabled(ctx context.Context, l slog.Level) bool {
	return (*h.out.next.Load()).Enabled(ctx, l)
}

// Handle implements slog.Handler.
func (h *liveHandler) Handle(ctx context.Context, r slog.Record) error {
	next := redact.NewWatchedHandler(*h.out.next.Load(), h.out.trip, h.out.hit)
	for _, w := range h.with {
		next = w(next)
	}
	return next.Handle(ctx, r)
}

// WithAttrs implements slog.Handler.
func (h *liveHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return h.and(func(next slog.Handler) slog.Handler { return next.WithAttrs(attrs) })
}

// WithGroup implements slog.Handler.
func (h *liveHandler) WithGroup(name string) slog.Handler {
	return h.and(func(next slog.Handler) slog.Handler { return next.WithGroup(name) })
}

func (h *liveHandler) and(w func(slog.Handler) slog.Handler) slog.Handler {
	return &liveHandler{out: h.out, with: append(slices.Clip(h.with), w)}
}
