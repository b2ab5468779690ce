package app

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"

	"claviger.dev/claviger/redact"
)

// newLogger makes the process's log as CLAVIGER_LOG asks: "text" or "json",
// and a level, in either order, separated by a comma. Whatever passes is
// scrubbed of keys.
//
// The tripwire is asked for at each line, so that a reload's secrets are known.
func newLogger(w io.Writer, setting string, trip func() *redact.Tripwire) (*slog.Logger, error) {
	format, level := "text", slog.LevelInfo
	for word := range strings.SplitSeq(setting, ",") {
		switch word = strings.ToLower(strings.TrimSpace(word)); word {
		case "":
		case "text", "json":
			format = word
		default:
			if err := level.UnmarshalText([]byte(word)); err != nil {
				return nil, fmt.Errorf("CLAVIGER_LOG: %q is no format (text, json) and no level (debug, info, warn, error)", word)
			}
		}
	}
	options := &slog.HandlerOptions{Level: level}
	var h slog.Handler = slog.NewTextHandler(w, options)
	if format == "json" {
		h = slog.NewJSONHandler(w, options)
	}
	return slog.New(&liveHandler{next: h, trip: trip}), nil
}

// liveHandler scrubs each line by the tripwire that holds at that moment.
type liveHandler struct {
	next slog.Handler
	trip func() *redact.Tripwire
}

func (h *liveHandler) now() slog.Handler { return redact.NewHandler(h.next, h.trip()) }

// Enabled implements slog.Handler.
func (h *liveHandler) Enabled(ctx context.Context, l slog.Level) bool { return h.next.Enabled(ctx, l) }

// Handle implements slog.Handler.
func (h *liveHandler) Handle(ctx context.Context, r slog.Record) error { return h.now().Handle(ctx, r) }

// WithAttrs implements slog.Handler.
func (h *liveHandler) WithAttrs(attrs []slog.Attr) slog.Handler { return h.now().WithAttrs(attrs) }

// WithGroup implements slog.Handler.
func (h *liveHandler) WithGroup(name string) slog.Handler { return h.now().WithGroup(name) }
