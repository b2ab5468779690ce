package upstream

import (
	"io"
	"log"
	"log/slog"
)

func debugLogger(w io.Writer) *slog.Logger {
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

func discardLog() *log.Logger { return log.New(io.Discard, "", 0) }
