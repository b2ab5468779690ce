package openaitest

import (
	"encoding/base64"
	"net/http"

	"github.com/go-json-experiment/json/jsontext"
)

// createSpeech is the body of POST /v1/audio/speech.
type createSpeech struct {
	Input          *string        `json:"input"`
	Instructions   *string        `json:"instructions"`
	Model          string         `json:"model"`
	ResponseFormat *string        `json:"response_format"`
	Speed          *float64       `json:"speed"`
	StreamFormat   *string        `json:"stream_format"`
	Voice          jsontext.Value `json:"voice"`
}

// speechEvent is a piece of speech or, at the end, what it cost.
type speechEvent struct {
	Type  string       `json:"type"`
	Audio *string      `json:"audio,omitzero"`
	Usage *speechUsage `json:"usage,omitzero"`
	Extra string       `json:"x_account,omitzero"`
}

type speechUsage struct {
	InputTokens  int64 `json:"input_tokens"`
	OutputTokens int64 `json:"output_tokens"`
	TotalTokens  int64 `json:"total_tokens"`
}

func audioRoutes() []route {
	return []route{
		{http.MethodPost, "/audio/speech", mediaJSON, serveSpeech},
		{http.MethodPost, "/audio/transcriptions", mediaForm, serveTranscription},
		{http.MethodPost, "/audio/translations", mediaForm, serveTranslation},
	}
}

func serveSpeech(x *exchange) error {
	var req createSpeech
	if e := decode(x.body, &req); e != nil {
		return e
	}
	m, e := x.model(req.Model, speaks)
	if e != nil {
		return e
	}
	older := m.id == "tts-1" || m.id == "tts-1-hd"
	if e := req.check(older); e != nil {
		return e
	}
	if err := x.generated(*req.Input); err != nil {
		return err
	}
	var a ask
	a.count(*req.Input)
	a.count(orElse(req.Instructions, ""))
	sound := soundOf(orElse(req.ResponseFormat, "mp3"), len(split(*req.Input)))
	if orElse(req.StreamFormat, "audio") == "sse" {
		x.progress.usage.Input = a.tokens
		return x.streamSpeech(sound, a.tokens)
	}
	if older { // billed by characters
		return x.sendSound(sound, 0)
	}
	x.progress.usage.Input = a.tokens
	return x.sendSound(sound, 1)
}

func (req *createSpeech) check(older bool) *apiError {
	if req.Input == nil || *req.Input == "" {
		return missing("input")
	}
	if !present(req.Voice) {
		return missing("voice")
	}
	if older && orElse(req.StreamFormat, "audio") == "sse" {
		return badRequest("stream_format", "unsupported_value", "stream_format 'sse' is not supported with this model.")
	}
	if older && req.Instructions != nil {
		return badRequest("instructions", "unsupported_parameter", "Unsupported parameter: 'instructions' is not supported with this model.")
	}
	return firstProblem(
		req.checkVoice(),
		shortEnough("input", req.Input, 4096), shortEnough("instructions", req.Instructions, 4096),
		oneOf("response_format", req.ResponseFormat, "mp3", "opus", "aac", "flac", "wav", "pcm"),
		oneOf("stream_format", req.StreamFormat, "sse", "audio"),
		between("speed", req.Speed, 0.25, 4),
	)
}

// checkVoice knows OpenAI's voices; there are no custom ones.
func (req *createSpeech) checkVoice() *apiError {
	if req.Voice.Kind() == '"' {
		name := textOf(req.Voice)
		return oneOf("voice", &name, "alloy", "ash", "ballad", "coral", "echo", "fable", "onyx", "nova", "sage", "shimmer", "verse", "marin", "cedar")
	}
	var custom struct {
		ID string `json:"id"`
	}
	if e := decode(req.Voice, &custom); e != nil {
		e.Param = "voice"
		return e
	}
	return notFound("voice", "Voice with id '%s' not found.", custom.ID)
}

// sendSound sends sound in pieces as it is made, each of them charged. Faults find
// it whole.
func (x *exchange) sendSound(s sound, each int64) error {
	if x.fault.Kind != "" && x.fault.Kind != Slow {
		x.progress.usage.Output = each * int64(len(s.pieces))
		return x.deliverBody(s.contentType, s.whole())
	}
	x.w.Header().Set("Content-Type", s.contentType)
	x.header(http.StatusOK)
	for i, p := range s.pieces {
		if err := x.pause(x.delta); err != nil {
			return err
		}
		if i == 0 {
			p = append(append([]byte{}, s.head...), p...)
		}
		if i == len(s.pieces)-1 {
			x.complete()
		}
		if err := x.write(p); err != nil {
			return err
		}
		if err := x.flush(); err != nil {
			return err
		}
		x.progress.usage.Output += each
		x.publish()
	}
	return nil
}

func (x *exchange) streamSpeech(s sound, input int64) error {
	st, err := x.openStream(func() (string, any) { return "", failureEvent{"error", x.serverError().object()} })
	if err != nil {
		return err
	}
	for i, p := range s.pieces {
		if err := x.pause(x.delta); err != nil {
			return err
		}
		if i == 0 {
			p = append(append([]byte{}, s.head...), p...)
		}
		audio := base64.StdEncoding.EncodeToString(p)
		if i == 0 && x.fault.Kind == Huge {
			audio = hugeMark + audio
		}
		ev := speechEvent{Type: "speech.audio.delta", Audio: &audio, Extra: x.extra()}
		if err := st.delta("", ev); err != nil {
			return err
		}
	}
	done := speechEvent{Type: "speech.audio.done"}
	if n := int64(len(s.pieces)); x.fault.Kind != NoUsage {
		done.Usage = &speechUsage{input, n, input + n}
	}
	return st.last("", done)
}
