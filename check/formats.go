package check

import (
	"io"

	"claviger.dev/claviger/internal/check/output"
)

// Formats are the names of the formats that NewReporter knows.
func Formats() []string { return output.Formats() }

// NewReporter makes a Reporter that writes to w when it is closed. Colour is for
// terminals, and for the format "text" alone.
func NewReporter(format string, w io.Writer, colour bool) (Reporter, error) {
	return output.New(format, w, colour)
}
