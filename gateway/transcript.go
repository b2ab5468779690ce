package gateway

import (
	"cmp"
	"slices"
	"strconv"
	"unicode/utf8"

	"claviger.dev/claviger"
	"claviger.dev/claviger/action"
	"claviger.dev/claviger/internal/jsonx"
	"claviger.dev/claviger/openai"
)

// input is what a caller sent: one of the three.
type input struct {
	body  []byte
	form  map[string][]string
	parts []openai.Part
}

// transcript is what is kept of a call. There is one only for a caller of whose
// calls something is kept.
type transcript struct {
	keeps claviger.TranscriptParts
	kept  claviger.Transcript
	// escaped says that the answer is gathered as it stands in JSON.
	escaped bool
}

// sent remembers what the caller sent until the plan is known, where somebody keeps
// transcripts.
func (x *exchange) sent(in input) {
	if x.g.options.Transcripts != nil {
		x.input = in
	}
}

// beginTranscript lets go of what was sent, and keeps what is to be kept of it, of a
// call that runs a model and goes to the provider.
func (x *exchange) beginTranscript(c *caller, call *claviger.Call) {
	if x.g.options.Transcripts == nil {
		return
	}
	in := x.input
	x.input = input{}
	keeps := x.g.options.Transcripts.Keeps(x.event.Plan)
	if !keeps.Any() || call.NoModel {
		return
	}
	t := &transcript{keeps: keeps, escaped: call.Action == "", kept: claviger.Transcript{
		RequestID: x.event.RequestID, Subject: c.pseudonym, Realm: c.Realm, Plan: x.event.Plan, Started: x.event.Started,
		Endpoint: call.Endpoint, Action: call.Action, Model: call.Model,
	}}
	if keeps.Prompts {
		t.kept.Prompt, t.kept.PromptCut = cut(in.json())
	}
	x.transcript = t
}

// json is what was sent, as JSON. Of a file it tells the size.
func (in *input) json() []byte {
	if in.form == nil && in.parts == nil {
		return in.body
	}
	var fields []jsonx.Member
	for name, values := range in.form {
		for _, v := range values {
			fields = append(fields, jsonx.Member{Name: name, Value: jsonx.String(v)})
		}
	}
	slices.SortStableFunc(fields, func(a, b jsonx.Member) int { return cmp.Compare(a.Name, b.Name) })
	for _, p := range in.parts {
		text := p.Text
		if p.File != nil {
			text = "(a file of " + strconv.FormatInt(p.File.Size, 10) + " bytes)"
		}
		fields = append(fields, jsonx.Member{Name: p.Name, Value: jsonx.String(text)})
	}
	return jsonx.Append(nil, jsonx.Object(fields...))
}

// says adds a piece of the answer that the caller got.
func (t *transcript) says(text []byte) {
	if t == nil || !t.keeps.Answers || len(text) == 0 {
		return
	}
	room := claviger.MostTranscript - len(t.kept.Answer)
	if len(text) > room {
		text, t.kept.AnswerCut = text[:max(room, 0)], true
	}
	t.kept.Answer = append(t.kept.Answer, text...)
}

// saysResult adds the answer of an action.
func (t *transcript) saysResult(r *action.Result) {
	if t != nil {
		t.says(r.Data)
		t.says([]byte(r.Text))
	}
}

// transcribe hands the transcript over. An answer that was stopped because it held
// one of our keys is not kept.
func (x *exchange) transcribe() {
	t := x.transcript
	if t == nil {
		return
	}
	if x.event.Tripwire != "" {
		t.kept.Answer, t.kept.AnswerCut = nil, true
	}
	if t.escaped {
		t.kept.Answer = unescape(t.kept.Answer)
	} else {
		t.kept.Answer = whole(t.kept.Answer)
	}
	x.g.options.Transcripts.Keep(t.kept)
}

// cut is a copy of what is kept of b, and whether there was more.
func cut(b []byte) ([]byte, bool) {
	if len(b) <= claviger.MostTranscript {
		return slices.Clone(b), false
	}
	return slices.Clone(whole(b[:claviger.MostTranscript])), true
}

// whole leaves a character out that was cut at the end.
func whole(b []byte) []byte {
	for n := len(b); n > 0 && len(b)-n < utf8.UTFMax; n-- {
		if utf8.RuneStart(b[n-1]) {
			if !utf8.FullRune(b[n-1:]) {
				return b[:n-1]
			}
			break
		}
	}
	return b
}

// unescape reads what stands between the quotes of a string of JSON, and leaves
// what was cut at its end out.
func unescape(b []byte) []byte {
	b = whole(b)
	const longest = 12 // two escapes that are one character
	for n := len(b); n >= 0 && len(b)-n <= longest; n-- {
		if v, err := jsonx.Parse(append(append([]byte{'"'}, b[:n]...), '"')); err == nil {
			return []byte(v.Str())
		}
	}
	return nil
}
