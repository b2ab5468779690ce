package app

import (
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
	return slog.New(redact.NewHandler(h, trip)), nil
}
