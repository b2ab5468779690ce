package openai

import "claviger.dev/claviger/internal/jsonx"

// Passes reports whether an event of that type is in the table.
func Passes(r *Request, kind string) bool { return r.row.events.find(jsonx.String(kind)) != nil }

// Forget makes the next event be parsed, whatever came before it.
func (e *Events) Forget() { e.last = pattern{} }

// Remembers reports whether there is a pattern for the next event.
func (e *Events) Remembers() bool { return len(e.last.holes) > 0 }
