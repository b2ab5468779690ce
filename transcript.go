package claviger

import (
	"fmt"
	"log/slog"
	"time"
)

// TranscriptParts says what of a call is kept. The zero value is nothing.
type TranscriptParts struct{ Prompts, Answers bool }

// Any reports whether anything is kept.
func (p TranscriptParts) Any() bool { return p.Prompts || p.Answers }

// Transcripts keep what was said in calls, where a retention policy says so.
//
// Keeps says what is kept of the calls of callers on a plan; nothing is gathered
// of any other. Keep takes a transcript over, whose bytes the caller does not change
// any more. Neither blocks, both may be called concurrently. What cannot be kept is
// lost, counted and told without its content: the call stands.
type Transcripts interface {
	Keeps(plan string) TranscriptParts
	Keep(t Transcript)
}

// MostTranscript is how many bytes of a prompt, and of an answer, are kept.
const MostTranscript = 256 << 10

// Transcript is what was said in one call. Printed or logged it shows whose call it
// was, and no word of it.
type Transcript struct {
	// RequestID is the id under which the call is logged, Subject the caller's
	// pseudonym.
	RequestID, Subject, Realm, Plan string
	Started                         time.Time
	Endpoint                        Endpoint
	Action, Model                   string
	// Prompt is what the caller sent and the gateway checked: the JSON body, or a
	// form as JSON. Answer is the text that came back. Each is at most
	// MostTranscript bytes long; Cut says that there was more.
	Prompt, Answer       []byte
	PromptCut, AnswerCut bool
}

// Format implements fmt.Formatter.
func (t Transcript) Format(f fmt.State, _ rune) {
	_, _ = fmt.Fprintf(f, "transcript of %s", t.RequestID)
}

// LogValue implements slog.LogValuer.
func (t Transcript) LogValue() slog.Value { return slog.StringValue("transcript of " + t.RequestID) }
