package openaitest

import (
	"fmt"
	"math"
	"path"
	"regexp"
	"slices"
	"strings"
)

// sayPhrase lets a recording say what it is transcribed to.
var sayPhrase = regexp.MustCompile(`(?s)\[\[say:(.*?)\]\]`)

// audioRequest is the form of a transcription or a translation.
type audioRequest struct {
	model      modelInfo
	file       formPart
	format     string
	prompt     string
	logprobs   bool
	stream     bool
	words      bool // timestamps of words
	translates bool
}

type (
	transcriptObject struct {
		Text     string         `json:"text"`
		Logprobs []tokenLogprob `json:"logprobs,omitzero"`
		Usage    any            `json:"usage,omitzero"`
		Extra    string         `json:"x_account,omitzero"`
	}
	verboseObject struct {
		Task     string         `json:"task"`
		Language string         `json:"language,omitzero"`
		Duration float64        `json:"duration"`
		Text     string         `json:"text"`
		Segments []any          `json:"segments,omitzero"`
		Words    []transcriptAt `json:"words,omitzero"`
		Usage    any            `json:"usage,omitzero"`
		Extra    string         `json:"x_account,omitzero"`
	}
	transcriptAt struct {
		Word  string  `json:"word"`
		Start float64 `json:"start"`
		End   float64 `json:"end"`
	}
	segmentObject struct {
		ID               int     `json:"id"`
		Seek             int     `json:"seek"`
		Start            float64 `json:"start"`
		End              float64 `json:"end"`
		Text             string  `json:"text"`
		Tokens           []int   `json:"tokens"`
		Temperature      float64 `json:"temperature"`
		AvgLogprob       float64 `json:"avg_logprob"`
		CompressionRatio float64 `json:"compression_ratio"`
		NoSpeechProb     float64 `json:"no_speech_prob"`
	}
	speakerObject struct {
		Type    string  `json:"type"`
		ID      string  `json:"id"`
		Start   float64 `json:"start"`
		End     float64 `json:"end"`
		Text    string  `json:"text"`
		Speaker string  `json:"speaker"`
	}
	transcriptEvent struct {
		Type     string         `json:"type"`
		Delta    string         `json:"delta,omitzero"`
		Text     string         `json:"text,omitzero"`
		Logprobs []tokenLogprob `json:"logprobs,omitzero"`
		Usage    any            `json:"usage,omitzero"`
		Extra    string         `json:"x_account,omitzero"`
	}
	tokenUsage struct {
		Type         string       `json:"type"`
		InputTokens  int64        `json:"input_tokens"`
		InputDetails tokenDetails `json:"input_token_details"`
		OutputTokens int64        `json:"output_tokens"`
		TotalTokens  int64        `json:"total_tokens"`
	}
	tokenDetails struct {
		TextTokens  int64 `json:"text_tokens"`
		AudioTokens int64 `json:"audio_tokens"`
	}
	durationUsage struct {
		Type    string  `json:"type"`
		Seconds float64 `json:"seconds"`
	}
)

func serveTranscription(x *exchange) error {
	f, e := x.readForm([]string{"languages", "keywords", "include", "timestamp_granularities", "known_speaker_names", "known_speaker_references"},
		"file", "model", "language", "prompt", "response_format", "temperature", "stream", "chunking_strategy")
	if e != nil {
		return e
	}
	req := &audioRequest{}
	if e := req.read(x, f); e != nil {
		return e
	}
	if e := req.readMore(f); e != nil {
		return e
	}
	return x.serveTranscript(req)
}

func serveTranslation(x *exchange) error {
	f, e := x.readForm(nil, "file", "model", "prompt", "response_format", "temperature")
	if e != nil {
		return e
	}
	req := &audioRequest{translates: true}
	if e := req.read(x, f); e != nil {
		return e
	}
	if !req.whisper() {
		return badRequest("model", "invalid_value", "Invalid value for 'model': %s does not translate.", req.model.id)
	}
	return x.serveTranscript(req)
}

func (req *audioRequest) whisper() bool { return strings.HasPrefix(req.model.id, "whisper") }

func (req *audioRequest) diarizes() bool { return strings.HasSuffix(req.model.id, "diarize") }

// read takes what both forms have.
func (req *audioRequest) read(x *exchange, f *form) (e *apiError) {
	if req.file, e = f.file("file"); e != nil {
		return e
	}
	name, e := f.must("model")
	if e != nil {
		return e
	}
	if req.model, e = x.model(name, transcribes); e != nil {
		return e
	}
	formats := []string{"flac", "m4a", "mp3", "mp4", "mpeg", "mpga", "oga", "ogg", "wav", "webm"}
	if ext := strings.TrimPrefix(strings.ToLower(path.Ext(req.file.FileName)), "."); !slices.Contains(formats, ext) || req.file.Size == 0 {
		return badRequest("file", "invalid_value", "Invalid file format. Supported formats: ['%s']", strings.Join(formats, "', '"))
	}
	temperature, e := f.decimal("temperature")
	if e != nil {
		return e
	}
	req.prompt = orElse(f.text("prompt"), "")
	req.format = orElse(f.text("response_format"), "json")
	if e := firstProblem(
		between("temperature", temperature, 0, 1),
		oneOf("response_format", &req.format, "json", "text", "srt", "verbose_json", "vtt", "diarized_json"),
	); e != nil {
		return e
	}
	fit := []string{"json", "text"}
	switch {
	case req.whisper():
		fit = []string{"json", "text", "srt", "verbose_json", "vtt"}
	case req.diarizes():
		fit = []string{"json", "text", "diarized_json"}
	}
	if !slices.Contains(fit, req.format) {
		return badRequest("response_format", "unsupported_value", "response_format '%s' is not compatible with model '%s'. Use '%s' instead.",
			req.format, req.model.id, strings.Join(fit, "' or '"))
	}
	return nil
}

// readMore takes what only a transcription has.
func (req *audioRequest) readMore(f *form) (e *apiError) {
	if req.stream, e = f.boolean("stream"); e != nil {
		return e
	}
	req.stream = req.stream && !req.whisper() // which ignores it
	for i, v := range f.list("include") {
		if e := oneOf(paramAt("include", i), &v, "logprobs"); e != nil {
			return e
		}
		req.logprobs = true
	}
	if req.logprobs && (req.whisper() || req.diarizes() || req.format != "json") {
		return badRequest("include", "unsupported_value", "'logprobs' is not supported with this model and response_format.")
	}
	for i, v := range f.list("timestamp_granularities") {
		if e := oneOf(paramAt("timestamp_granularities", i), &v, "word", "segment"); e != nil {
			return e
		}
		if req.format != "verbose_json" {
			return badRequest("timestamp_granularities", "", "timestamp_granularities needs response_format 'verbose_json'.")
		}
		req.words = req.words || v == "word"
	}
	return nil
}

// transcript is what a recording says.
type transcript struct {
	req     *audioRequest
	deltas  []string
	seconds float64
	input   tokenDetails
}

func (t transcript) text() string { return strings.Join(t.deltas, "") }

func (x *exchange) serveTranscript(req *audioRequest) error {
	if err := x.generated(req.prompt); err != nil {
		return err
	}
	src := source(hashOf(req.model.id, req.file.SHA256))
	said := prose(req.prompt, &src)
	if m := sayPhrase.FindSubmatch(req.file.data); m != nil {
		said = strings.ToValidUTF8(string(m[1]), "\uFFFD")
	}
	t := transcript{req: req, deltas: split(said), seconds: secondsOf(req.file.data)}
	switch x.fault.Kind { //nolint:exhaustive // the others leave the text alone
	case Leak:
		t.deltas = leaked(t.deltas, x.key, x.fault.Parts)
	case Huge:
		t.deltas = append([]string{hugeMark}, t.deltas...)
	}
	if !req.whisper() { // which is billed by time
		var a ask
		a.count(req.prompt)
		t.input = tokenDetails{TextTokens: a.tokens, AudioTokens: int64(math.Ceil(10 * t.seconds))}
		x.progress.usage.Input = t.input.TextTokens + t.input.AudioTokens
	}
	if req.stream {
		return x.streamTranscript(t)
	}
	if !req.whisper() {
		x.progress.usage.Output = int64(len(t.deltas))
	}
	return x.sendTranscript(t)
}

func (x *exchange) transcriptUsage(t transcript) any {
	switch in := t.input.TextTokens + t.input.AudioTokens; {
	case x.fault.Kind == NoUsage, t.req.translates:
		return nil
	case t.req.whisper():
		return durationUsage{"duration", math.Ceil(t.seconds)}
	default:
		n := int64(len(t.deltas))
		return tokenUsage{"tokens", in, t.input, n, in + n}
	}
}

func (x *exchange) sendTranscript(t transcript) error {
	const plain = "text/plain; charset=utf-8"
	switch t.req.format {
	case "text":
		return x.deliverBody(plain, []byte(t.text()+"\n"))
	case "srt":
		return x.deliverBody(plain, fmt.Appendf(nil, "1\n%s --> %s\n%s\n\n\n", clock(0, ","), clock(t.seconds, ","), t.text()))
	case "vtt":
		return x.deliverBody(plain, fmt.Appendf(nil, "WEBVTT\n\n%s --> %s\n%s\n\n", clock(0, "."), clock(t.seconds, "."), t.text()))
	case "verbose_json":
		return x.deliver(x.verbose(t))
	case "diarized_json":
		return x.deliver(verboseObject{
			Task: "transcribe", Duration: t.seconds, Text: t.text(), Segments: []any{x.speaker(t)}, Usage: x.transcriptUsage(t), Extra: x.extra(),
		})
	}
	o := transcriptObject{Text: t.text(), Usage: x.transcriptUsage(t), Extra: x.extra()}
	if t.req.logprobs {
		o.Logprobs = logprobs(t.deltas, false).Content
	}
	return x.deliver(o)
}

func clock(seconds float64, point string) string {
	ms := int64(math.Round(seconds * 1000))
	return fmt.Sprintf("%02d:%02d:%02d%s%03d", ms/3_600_000, ms/60_000%60, ms/1000%60, point, ms%1000)
}

func (x *exchange) verbose(t transcript) verboseObject {
	o := verboseObject{
		Task: "transcribe", Language: "english", Duration: t.seconds, Text: t.text(), Usage: x.transcriptUsage(t), Extra: x.extra(),
		Segments: []any{segmentObject{
			End: t.seconds, Text: t.text(), Tokens: []int{50364, 50464}, AvgLogprob: -0.2, CompressionRatio: 1.2, NoSpeechProb: 0.01,
		}},
	}
	if t.req.translates {
		o.Task = "translate"
	}
	for i, w := range t.deltas {
		if each := t.seconds / float64(len(t.deltas)); t.req.words {
			o.Words = append(o.Words, transcriptAt{strings.TrimSpace(w), each * float64(i), each * float64(i+1)})
		}
	}
	return o
}

func (x *exchange) speaker(t transcript) speakerObject {
	return speakerObject{Type: "transcript.text.segment", ID: "seg_001", End: t.seconds, Text: t.text(), Speaker: "A"}
}

func (x *exchange) streamTranscript(t transcript) error {
	st, err := x.openStream(func() (string, any) { return "", failureEvent{"error", x.serverError().object()} })
	if err != nil {
		return err
	}
	odds := func(deltas []string) []tokenLogprob {
		if !t.req.logprobs {
			return nil
		}
		return logprobs(deltas, false).Content
	}
	for i, d := range t.deltas {
		if err := x.pause(x.delta); err != nil {
			return err
		}
		if err := st.delta("", transcriptEvent{Type: "transcript.text.delta", Delta: d, Logprobs: odds(t.deltas[i : i+1]), Extra: x.extra()}); err != nil {
			return err
		}
	}
	if t.req.diarizes() {
		if err := st.event("", x.speaker(t)); err != nil {
			return err
		}
	}
	return st.last("", transcriptEvent{Type: "transcript.text.done", Text: t.text(), Logprobs: odds(t.deltas), Usage: x.transcriptUsage(t)})
}
