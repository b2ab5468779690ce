package openaitest

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Kind names a fault.
type Kind string

// The faults. "Plain" is an answer that is not streamed; faults of streams strike
// a plain answer in the middle of its body.
const (
	// Status answers with Fault.Status in OpenAI's error shape and words: 401
	// repeats the key in masked form, 429 names the organisation, 502 is a page
	// of HTML. In the notation the status alone stands for it: "429 retry-after=3".
	Status Kind = "status"
	// HTML answers 200 with a page of HTML.
	HTML Kind = "html"
	// Empty answers 200 with no body.
	Empty Kind = "empty"
	// Redirect answers with Fault.Status (307 if unset, or "302" in the
	// notation) and Fault.To as Location.
	Redirect Kind = "redirect"
	// Hang sends nothing for Fault.For, or until the client leaves.
	Hang Kind = "hang"
	// HangBody sends the headers and then nothing, for the same time.
	HangBody Kind = "hang-body"
	// Slow waits Fault.Delay before the headers, and Fault.Delta before each delta.
	Slow Kind = "slow"
	// Truncated sends half of the JSON as if it were all; a stream ends in the
	// middle of the event after Fault.After others.
	Truncated Kind = "truncated"
	// InvalidJSON sends something else than JSON where JSON belongs.
	InvalidJSON Kind = "invalid-json"
	// ContentType labels the right body with Fault.Type (text/plain if empty).
	ContentType Kind = "content-type"
	// Stall goes silent after Fault.After events, for Fault.For or until the
	// client leaves.
	Stall Kind = "stall"
	// Cut closes the connection after Fault.After events.
	Cut Kind = "cut"
	// End ends a stream in good order after Fault.After events, with neither
	// its closing event nor [DONE].
	End Kind = "end"
	// BadChunk breaks the chunked coding after Fault.After events.
	BadChunk Kind = "bad-chunk"
	// Drip sends the body one byte at a time, Fault.Delay (1 ms if 0) apart.
	Drip Kind = "drip"
	// Gzip compresses the answer, whether the client accepts that or not.
	Gzip Kind = "gzip"
	// Huge puts Fault.MiB (16 if 0) of words into the answer, in a stream into
	// its first delta.
	Huge Kind = "huge"
	// ErrorEvent ends a stream of status 200 with an error event after
	// Fault.After events, in the shape of the endpoint. A plain answer is an error
	// object with status 200.
	ErrorEvent Kind = "error-event"
	// Failed ends a stream of /v1/responses with response.failed; a plain
	// response has status "failed". Elsewhere it is ErrorEvent.
	Failed Kind = "failed"
	// Leak puts the caller's whole key into the generated text, spread over
	// Fault.Parts deltas; with Fault.Status into the message of an error.
	Leak Kind = "leak"
	// NoUsage leaves the usage out.
	NoUsage Kind = "no-usage"
	// Extra adds members that OpenAI's document does not know and that tell about
	// the account, and in a stream an event of an unknown type.
	Extra Kind = "extra"
)

// DefaultAfter is how many events a stream sends before a fault that strikes in
// mid-stream, unless [Fault.After] says otherwise.
const DefaultAfter = 4

// Fault is one way to break a call. The zero value of each setting means its
// default.
type Fault struct {
	Kind Kind
	// Status, RetryAfter (the header, word for word), Message, Param and Code
	// of [Status]; the last three replace what OpenAI would say.
	Status                           int
	RetryAfter, Message, Param, Code string
	// After is the number of events before a fault in mid-stream;
	// less than 0 means none, 0 [DefaultAfter].
	After int
	// For is the length of a silence, after which the answer goes on; 0 means
	// until the client leaves.
	For time.Duration
	// Delay comes before the headers, with every kind but [Drip]; Delta before
	// each delta of a stream, with every kind.
	Delay, Delta time.Duration
	// MiB is the size of [Huge], Parts the number of deltas of [Leak].
	MiB, Parts int
	// To is the Location of [Redirect], Type the one of [ContentType].
	To, Type string

	// Times is how many calls it breaks when it is injected; 0 means all, until
	// [Sim.Clear]. Path and Key limit it to calls of that path or key; "{id}" in
	// the path stands for any id: "/v1/responses/{id}".
	Times     int
	Path, Key string
}

func (f Fault) after() int {
	switch {
	case f.After < 0:
		return 0
	case f.After == 0:
		return DefaultAfter
	}
	return f.After
}

func (f Fault) mib() int {
	if f.MiB <= 0 {
		return 16
	}
	return f.MiB
}

func kinds() []Kind {
	return []Kind{
		Status, HTML, Empty, Redirect, Hang, HangBody, Slow, Truncated, InvalidJSON, ContentType, Stall,
		Cut, End, BadChunk, Drip, Gzip, Huge, ErrorEvent, Failed, Leak, NoUsage, Extra,
	}
}

// ParseFault reads the notation of faults: a kind, or a status from 300 to 599 in
// its place, then settings as name=value, the value in double quotes (as in Go) if it
// holds spaces.
//
//	429 retry-after=3
//	stall after=7 for=2s
//	400 message="Invalid value: 'x'." param=input code=invalid_value
//	hang times=2 path=/v1/responses
//
// Settings are retry-after, message, param, code, status, after, for, delay,
// delta, mib, parts, to, type, times, path and key.
func ParseFault(text string) (Fault, error) {
	word, rest, _ := strings.Cut(strings.TrimSpace(text), " ")
	f := Fault{Kind: Kind(word)}
	if status, err := strconv.Atoi(word); err == nil {
		f.Kind, f.Status = Status, status
		if status >= 300 && status < 400 {
			f.Kind = Redirect
		}
	}
	for rest = strings.TrimLeft(rest, " "); rest != ""; rest = strings.TrimLeft(rest, " ") {
		name, after, found := strings.Cut(rest, "=")
		if !found {
			return Fault{}, fmt.Errorf("openaitest: fault %q: setting %q is not name=value", word, rest)
		}
		value, tail, err := faultValue(after)
		if err == nil {
			err = f.set(name, value)
		}
		if err != nil {
			return Fault{}, fmt.Errorf("openaitest: fault %q: setting %q: %w", word, name, err)
		}
		rest = tail
	}
	return f, f.check()
}

func faultValue(text string) (value, rest string, err error) {
	if !strings.HasPrefix(text, `"`) {
		value, rest, _ = strings.Cut(text, " ")
		return value, rest, nil
	}
	quoted, err := strconv.QuotedPrefix(text)
	if err != nil {
		return "", "", fmt.Errorf("quotes do not close: %w", err)
	}
	value, err = strconv.Unquote(quoted)
	if err != nil {
		return "", "", fmt.Errorf("not a quoted text: %w", err)
	}
	return value, text[len(quoted):], nil
}

func (f *Fault) set(name, value string) (err error) {
	switch name {
	case "retry-after":
		f.RetryAfter = value
	case "message":
		f.Message = value
	case "param":
		f.Param = value
	case "code":
		f.Code = value
	case "to":
		f.To = value
	case "type":
		f.Type = value
	case "path":
		f.Path = value
	case "key":
		f.Key = value
	default:
		return f.setNumber(name, value)
	}
	return nil
}

func (f *Fault) setNumber(name, value string) (err error) {
	switch name {
	case "status":
		f.Status, err = strconv.Atoi(value)
	case "after":
		f.After, err = strconv.Atoi(value)
		if err == nil && f.After == 0 {
			f.After = -1 // in writing, 0 means 0
		}
	case "mib":
		f.MiB, err = strconv.Atoi(value)
	case "parts":
		f.Parts, err = strconv.Atoi(value)
	case "times":
		f.Times, err = strconv.Atoi(value)
	case "for":
		f.For, err = time.ParseDuration(value)
	case "delay":
		f.Delay, err = time.ParseDuration(value)
	case "delta":
		f.Delta, err = time.ParseDuration(value)
	default:
		return fmt.Errorf("unknown; known are retry-after, message, param, code, status, after, for, delay, delta, mib, parts, to, type, times, path and key")
	}
	return err //nolint:wrapcheck // ParseFault names the place
}

// String writes a fault in the notation of [ParseFault]. A key is masked.
func (f Fault) String() string {
	var b strings.Builder
	b.WriteString(string(f.Kind))
	text := func(name, value string) {
		if value != "" {
			b.WriteString(" " + name + "=" + strconv.Quote(value))
		}
	}
	number := func(name string, value int) {
		if value != 0 {
			fmt.Fprintf(&b, " %s=%d", name, value)
		}
	}
	duration := func(name string, value time.Duration) {
		if value != 0 {
			fmt.Fprintf(&b, " %s=%s", name, value)
		}
	}
	number("status", f.Status)
	text("retry-after", f.RetryAfter)
	text("message", f.Message)
	text("param", f.Param)
	text("code", f.Code)
	number("after", f.After)
	duration("for", f.For)
	duration("delay", f.Delay)
	duration("delta", f.Delta)
	number("mib", f.MiB)
	number("parts", f.Parts)
	text("to", f.To)
	text("type", f.Type)
	number("times", f.Times)
	text("path", f.Path)
	if f.Key != "" {
		text("key", MaskKey(f.Key))
	}
	return b.String()
}

func (f Fault) check() error {
	if !slices.Contains(kinds(), f.Kind) {
		return fmt.Errorf("openaitest: unknown fault %q; known are a status and %q", f.Kind, kinds())
	}
	low, high := 400, 599
	switch f.Kind { //nolint:exhaustive // the others have no status
	case Redirect:
		low, high = 300, 399
	case Status:
		if f.Status == 0 {
			return fmt.Errorf("openaitest: fault %q needs a status from 400 to 599", f.Kind)
		}
	}
	if f.Status != 0 && (f.Status < low || f.Status > high) {
		return fmt.Errorf("openaitest: fault %q: status %d is not from %d to %d", f.Kind, f.Status, low, high)
	}
	if f.MiB < 0 || f.MiB > 4096 || f.Parts < 0 || f.Times < 0 {
		return fmt.Errorf("openaitest: fault %q: mib is 0 to 4096, parts and times are not negative", f.Kind)
	}
	return nil
}

// faultPhrase finds the first "[[fault:…]]" in a prompt.
func faultPhrase(prompt string) (string, bool) {
	_, after, found := strings.Cut(prompt, "[[fault:")
	if !found {
		return "", false
	}
	text, _, found := strings.Cut(after, "]]")
	return text, found
}

// Inject breaks calls to come. Of several faults that fit a call, the one
// injected first strikes, until its Times are used up. A call that is refused before
// it has a valid key, or that brings its own X-Openaitest-Fault, uses up nothing.
// It panics when a fault could not be parsed either: unknown kind, status out of range.
func (s *Sim) Inject(faults ...Fault) {
	for _, f := range faults {
		if err := f.check(); err != nil {
			panic(err)
		}
	}
	s.faults.add(faults)
}

// Faults returns the injected faults that have calls left to break.
func (s *Sim) Faults() []Fault { return s.faults.list() }

// Clear takes every injected fault back.
func (s *Sim) Clear() { s.faults.clear() }

type faultList struct {
	mu     sync.Mutex
	faults []Fault
}

func (l *faultList) add(faults []Fault) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.faults = append(l.faults, faults...)
}

func (l *faultList) list() []Fault {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.faults)
}

func (l *faultList) clear() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.faults = nil
}

func (l *faultList) take(path, pattern, key string) (Fault, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, f := range l.faults {
		if f.Path != "" && f.Path != path && f.Path != pattern || f.Key != "" && f.Key != key {
			continue
		}
		if f.Times == 1 {
			l.faults = slices.Delete(l.faults, i, i+1)
		} else if f.Times > 1 {
			l.faults[i].Times--
		}
		return f, true
	}
	return Fault{}, false
}
