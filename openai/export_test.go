package openai

import "claviger.dev/claviger/internal/jsonx"

// Passes reports whether an event of that type is in the table.
func Passes(_ *Request, kind string) bool { return findEvent(jsonx.String(kind)) != nil }
