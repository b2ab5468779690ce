package openai_test

import (
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"strings"
	"testing"

	"claviger.dev/claviger"
	"claviger.dev/claviger/openai"
)

const (
	draw       = "/images/generations"
	edit       = "/images/edits"
	speak      = "/audio/speech"
	transcribe = "/audio/transcriptions"
	translate  = "/audio/translations"
)

// fields are the parts of a form, in pairs, behind a file of so many bytes.
func fields(name string, size int, pairs ...string) []openai.Part {
	parts := []openai.Part{{Name: name, File: &openai.File{Name: "a.wav", Type: "audio/wav", Content: [][]byte{make([]byte, size)}, Size: int64(size)}}}
	for i := 0; i < len(pairs); i += 2 {
		parts = append(parts, openai.Part{Name: pairs[i], Text: pairs[i+1]})
	}
	return parts
}

func formCall(t testing.TB, path string, parts []openai.Part, p *openai.Policy) (*openai.Request, error) {
	t.Helper()
	return openai.ParseCall(openai.Find(path)[0], openai.Sent{Path: path, Parts: parts}, p)
}

// TestMediaRefused: what is not let through, with the member in question.
func TestMediaRefused(t *testing.T) {
	d := func(more string) string { return `{"model":"gpt-image-1","prompt":"x",` + more + `}` }
	s := func(more string) string { return `{"model":"tts-1","input":"x","voice":"alloy",` + more + `}` }
	e := func(images string) string { return `{"model":"gpt-image-1","prompt":"x","images":` + images + `}` }
	const bad, no, gone = claviger.CodeInvalidInput, claviger.CodeForbidden, claviger.CodeNotFound
	for _, x := range []struct {
		path, in, param string
		code            claviger.Code
	}{
		{draw, `{"prompt":"x"}`, "model", bad},
		{draw, `{"model":"gpt-image-1"}`, "prompt", bad},
		{draw, `{"model":"gpt-image-1","prompt":""}`, "prompt", bad},
		{draw, `{"model":"gpt-image-1","prompt":"` + strings.Repeat("x", 128_001) + `"}`, "prompt", bad},
		{draw, d(`"n":2`), "n", bad},
		{draw, d(`"n":0`), "n", bad},
		{draw, d(`"size":"4096x4096"`), "size", bad},
		{draw, d(`"quality":"best"`), "quality", bad},
		{draw, d(`"background":"red"`), "background", bad},
		{draw, d(`"output_format":"gif"`), "output_format", bad},
		{draw, d(`"output_compression":101`), "output_compression", bad},
		{draw, d(`"output_compression":1.5`), "output_compression", bad},
		{draw, d(`"partial_images":4`), "partial_images", bad},
		{draw, d(`"partial_images":-1`), "partial_images", bad},
		{draw, d(`"moderation":"none"`), "moderation", bad},
		{draw, d(`"style":"mine"`), "style", bad},
		{draw, d(`"response_format":"url"`), "response_format", no},
		{draw, d(`"user":"me"`), "user", no},
		{draw, d(`"image":"x"`), "image", bad},
		{edit, `{"model":"gpt-image-1","prompt":"x"}`, "images", bad},
		{edit, e(`[]`), "images", bad},
		{edit, e(`[` + strings.TrimSuffix(strings.Repeat(`{"image_url":"https://example.com"},`, 17), ",") + `]`), "images", bad},
		{edit, e(`[{"image_url":"http://example.com/a.png"}]`), "images[0].image_url", bad},
		{edit, e(`[{"image_url":"file:///etc/passwd"}]`), "images[0].image_url", bad},
		{edit, e(`[{"file_id":"../x y"}]`), "images[0].file_id", gone},
		{edit, e(`[{"id":"x"}]`), "images[0].id", bad},
		{edit, d(`"images":[{"file_id":"file-1"}],"input_fidelity":"full"`), "input_fidelity", bad},
		{edit, d(`"images":[{"file_id":"file-1"}],"response_format":"b64_json"`), "response_format", bad},
		{speak, `{"model":"tts-1","input":"x"}`, "voice", bad},
		{speak, `{"input":"x","voice":"alloy"}`, "model", bad},
		{speak, `{"model":"tts-1","voice":"alloy"}`, "input", bad},
		{speak, `{"model":"tts-1","voice":"alloy","input":"` + strings.Repeat("ü", 4097) + `"}`, "input", bad},
		{speak, `{"model":"tts-1","input":"x","voice":{"id":"voice_1234"}}`, "voice", gone},
		{speak, `{"model":"tts-1","input":"x","voice":"voice_1234"}`, "voice", gone},
		{speak, s(`"instructions":"shout"`), "instructions", no},
		{speak, s(`"response_format":"ogg"`), "response_format", bad},
		{speak, s(`"stream_format":"ws"`), "stream_format", bad},
		{speak, s(`"speed":5`), "speed", bad},
		{speak, s(`"speed":0.1`), "speed", bad},
		{speak, s(`"stream":true`), "stream", bad},
	} {
		_, err := call(t, x.path, x.in, nil)
		if f, ok := errors.AsType[*claviger.Error](err); !ok || f.Code != x.code || f.Param != x.param {
			t.Errorf("%s %.120s: %v", x.path, x.in, err)
		}
	}
	_, err := call(t, draw, d(`"n":2,"stream":true`), &openai.Policy{MaxChoices: 4})
	if f, ok := errors.AsType[*claviger.Error](err); !ok || f.Param != "n" {
		t.Errorf("several images in a stream: %v", err)
	}
}

func TestMediaFormRefused(t *testing.T) {
	for _, x := range []struct {
		path  string
		parts []openai.Part
		param string
	}{
		{transcribe, fields("file", 1)[1:], "file"},
		{transcribe, fields("file", 1), "model"},
		{transcribe, fields("image", 1, "model", "whisper-1"), "image"},
		{transcribe, append(fields("file", 1, "model", "whisper-1"), fields("file", 1)...), "file"},
		{transcribe, fields("file", 1, "model", "whisper-1", "model", "whisper-2"), "model"},
		{transcribe, fields("file", 1, "model", "whisper-1", "nothing", "x"), "nothing"},
		{transcribe, fields("file", 1, "model", "whisper-1", "temperature", "2"), "temperature"},
		{transcribe, fields("file", 1, "model", "whisper-1", "temperature", "warm"), "temperature"},
		{transcribe, fields("file", 1, "model", "whisper-1", "response_format", "xml"), "response_format"},
		{transcribe, fields("file", 1, "model", "whisper-1", "include[]", "usage"), "include[0]"},
		{transcribe, fields("file", 1, "model", "whisper-1", "timestamp_granularities[]", "year"), "timestamp_granularities[0]"},
		{transcribe, fields("file", 1, "model", "whisper-1", "chunking_strategy", "mine"), "chunking_strategy"},
		{transcribe, fields("file", 1, "model", "whisper-1", "chunking_strategy[type]", "mine"), "chunking_strategy.type"},
		{transcribe, fields("file", 1, "model", "whisper-1", "stream", "perhaps"), "stream"},
		{transcribe, fields("file", 1, "model", "whisper-1", "known_speaker_references[]", "https://example.com/a.wav"), "known_speaker_references[0]"},
		{translate, fields("file", 1, "model", "whisper-1", "language", "en"), "language"},
		{translate, fields("file", 1, "model", "whisper-1", "response_format", "diarized_json"), "response_format"},
		{translate, fields("file", 1, "model", "whisper-1", "stream", "true"), "stream"},
		{edit, fields("file", 1, "model", "gpt-image-1", "prompt", "x"), "file"},
		{edit, fields("mask", 1, "model", "gpt-image-1", "prompt", "x"), "image"},
		{edit, fields("image", 1, "model", "gpt-image-1", "prompt", "x", "n", "3"), "n"},
		{edit, fields("image", 1, "model", "gpt-image-1", "prompt", "x", "images[]", "y"), "images"},
		{edit, fields("image", 1, "model", "gpt-image-1", "prompt", "x", "user", "me"), "user"},
	} {
		_, err := formCall(t, x.path, x.parts, nil)
		if f, ok := errors.AsType[*claviger.Error](err); !ok || f.Param != x.param {
			t.Errorf("%s, want %s: %v", x.path, x.param, err)
		}
	}
}

// TestMediaBounds: what a call is held for at most.
func TestMediaBounds(t *testing.T) {
	p := &openai.Policy{MaxChoices: 4, ClientInstructions: true}
	image := func(more string) string { return `{"model":"gpt-image-1","prompt":"x"` + more + `}` }
	one := `,"images":[{"image_url":"https://example.com/a.png"}]`
	for _, x := range []struct {
		path, in        string
		parts           []openai.Part
		output          int64
		extra           string
		stream, passing bool
	}{
		{path: draw, in: image(``), output: 6240, extra: "image_input 0"},
		{path: draw, in: image(`,"quality":"low"`), output: 408, extra: "image_input 0"},
		{path: draw, in: image(`,"quality":"low","size":"1024x1024"`), output: 272, extra: "image_input 0"},
		{path: draw, in: image(`,"quality":"medium","size":"1536x1024","n":3`), output: 1568, extra: "image_input 0"},
		{path: draw, in: image(`,"quality":"auto","size":"1024x1024"`), output: 6240, extra: "image_input 0"},
		{path: draw, in: image(`,"quality":"hd"`), output: 6240, extra: "image_input 0"},
		{path: draw, in: image(`,"stream":true,"quality":"high","size":"1024x1024","partial_images":3`), output: 4460, extra: "image_input 0", stream: true},
		{path: draw, in: `{"model":"gpt-image-9","prompt":"x","quality":"low"}`, output: 6240, extra: "image_input 0"},
		{path: edit, in: image(one), output: 6240, extra: "image_input 1097"},
		{path: edit, in: image(one + `,"mask":{"file_id":"file-1"}`), output: 6240, extra: "image_input 2194"},
		{path: edit, in: image(one + `,"input_fidelity":"high"`), output: 6240, extra: "image_input 7337"},
		{path: edit, in: strings.Replace(image(one), "image-1", "image-9", 1), output: 6240, extra: "image_input 7337"},
		{path: edit, parts: fields("image[]", 5, "model", "gpt-image-1", "prompt", "x", "quality", "low", "n", "2"), output: 408, extra: "image_input 1097"},
		{path: speak, in: `{"model":"tts-1","input":"Grüße","voice":"alloy"}`, extra: "characters 5", passing: true},
		{path: speak, in: `{"model":"tts-1-hd","input":"Grüße","voice":"alloy"}`, extra: "characters 5", passing: true},
		{path: speak, in: `{"model":"gpt-4o-mini-tts","input":"Grüße","voice":"alloy","stream_format":"sse","instructions":"x"}`, output: 40, extra: "characters 5 audio_output 40", stream: true},
		{path: transcribe, parts: fields("file", 5001, "model", "whisper-1", "stream", "true"), extra: "seconds 11"},
		{path: transcribe, parts: fields("file", 5_000_000, "model", "whisper-1", "response_format", "vtt"), extra: "seconds 10000", passing: true},
		{path: transcribe, parts: fields("file", 5_000_000, "model", "gpt-4o-transcribe"), output: 12_000, extra: "seconds 1500 audio_input 15000"},
		{path: transcribe, parts: fields("file", 5_000_000, "model", "own"), output: 80_000, extra: "seconds 10000 audio_input 100000"},
		{path: transcribe, parts: fields("file", 5000, "model", "gpt-4o-transcribe", "stream", "true", "response_format", "text"), output: 80, extra: "seconds 10 audio_input 100", stream: true},
		{path: transcribe, parts: fields("file", 5000, "model", "own", "known_speaker_references[]", "data:audio/wav;base64,AAAA"), output: 160, extra: "seconds 20 audio_input 200"},
		{path: translate, parts: fields("file", 5000, "model", "whisper-1", "response_format", "text"), extra: "seconds 10", passing: true},
	} {
		r, err := openai.ParseCall(openai.Find(x.path)[0], openai.Sent{Path: x.path, Body: []byte(x.in), Parts: x.parts}, p)
		if err != nil {
			t.Errorf("%s %s: %v", x.path, x.in, err)
			continue
		}
		c := r.Call()
		var extra []string
		for _, u := range c.Extra {
			extra = append(extra, fmt.Sprint(u.Kind, " ", u.Amount))
		}
		if got := strings.Join(extra, " "); got != x.extra || c.MaxOutput != x.output || c.Stream != x.stream || r.Plain() != x.passing {
			t.Errorf("%s %s: %s, output %d, stream %t, passing %t", x.path, x.in, got, c.MaxOutput, c.Stream, r.Plain())
		}
		if most := c.Extra.Get(claviger.UnitImageInput) + c.Extra.Get(claviger.UnitAudioInput); c.MaxInput <= most {
			t.Errorf("%s %s: %d tokens of input, of which %d are images or sound", x.path, x.in, c.MaxInput, most)
		}
	}
}

// TestMediaInputCap: the input that a plan allows counts images and sound, too.
func TestMediaInputCap(t *testing.T) {
	r, err := formCall(t, transcribe, fields("file", 50_000, "model", "gpt-4o-transcribe"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Write([]claviger.Obligation{{Kind: claviger.ObligeMaxInput, Limit: 1000}}, ""); err == nil {
		t.Error("1,000 tokens of sound and some passed")
	}
	if _, err := r.Write([]claviger.Obligation{{Kind: claviger.ObligeMaxInput, Limit: 1100}}, ""); err != nil {
		t.Error(err)
	}
}

// TestMediaWritten: what is forwarded.
func TestMediaWritten(t *testing.T) {
	for _, x := range []struct{ path, in, want string }{
		{draw, `{"prompt":"x","model":"dall-e-3","quality":"hd","style":"vivid"}`, `{"prompt":"x","model":"dall-e-3","quality":"hd","style":"vivid","response_format":"b64_json"}`},
		{draw, `{"prompt":"x","model":"dall-e-3","response_format":null}`, `{"prompt":"x","model":"dall-e-3","response_format":"b64_json"}`},
		{draw, `{"prompt":"x","model":"dall-e-3","response_format":"b64_json"}`, `{"prompt":"x","model":"dall-e-3","response_format":"b64_json"}`},
		{draw, `{"prompt":"x","model":"gpt-image-1","stream":false,"n":1}`, `{"prompt":"x","model":"gpt-image-1","n":1}`},
		{speak, `{"model":"tts-1","input":"x","voice":"alloy","instructions":null,"speed":1.0}`, `{"model":"tts-1","input":"x","voice":"alloy","speed":1.0}`},
	} {
		c, err := call(t, x.path, x.in, nil)
		if err != nil {
			t.Errorf("%s: %v", x.in, err)
			continue
		}
		if got := bodyOf(t, c); got != x.want {
			t.Errorf("%s is sent as %s", x.in, got)
		}
	}
	r, err := formCall(t, edit, append(fields("image[]", 3, "model", "dall-e-2", "prompt", "x"), fields("image[]", 4)...), nil)
	if err != nil {
		t.Fatal(err)
	}
	c, err := r.Write(nil, "")
	if err != nil {
		t.Fatal(err)
	}
	_, params, err := mime.ParseMediaType(c.Body.ContentType())
	if err != nil {
		t.Fatal(err)
	}
	mr := multipart.NewReader(c.Body.Open(), params["boundary"])
	var got []string
	for {
		part, err := mr.NextPart()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		b, _ := io.ReadAll(part)
		got = append(got, fmt.Sprintf("%s %s %q", part.FormName(), part.FileName(), b))
	}
	want := `model  "dall-e-2",prompt  "x",response_format  "b64_json",image[] a.wav "\x00\x00\x00",image[] a.wav "\x00\x00\x00\x00"`
	if s := strings.Join(got, ","); s != want {
		t.Errorf("sent %s", s)
	}
}

// TestMediaAnswers: what comes back of an answer, and what it says was used.
func TestMediaAnswers(t *testing.T) {
	wav := fields("file", 5000, "model", "own")
	for _, x := range []struct {
		name, path, in string
		parts          []openai.Part
		answer, want   string
		used           string
	}{
		{
			"images", draw, `{"model":"gpt-image-1","prompt":"x"}`, nil,
			`{"created":1,"org":"o","background":"opaque","data":[{"b64_json":"AA","url":"https://x/org-1","x":1},{"url":"https://x/org-1"},null],"size":"1024x1024","usage":{"input_tokens":9,"input_tokens_details":{"image_tokens":4,"text_tokens":5,"x":1},"output_tokens":7,"total_tokens":16,"x":1}}`,
			`{"created":1,"background":"opaque","data":[{"b64_json":"AA"}],"size":"1024x1024","usage":{"input_tokens":9,"input_tokens_details":{"image_tokens":4,"text_tokens":5},"output_tokens":7,"total_tokens":16}}`,
			"[{input 9} {output 7} {image_input 4}]",
		},
		{"no details", draw, `{"model":"gpt-image-1","prompt":"x"}`, nil, `{"created":1,"data":[],"usage":{"input_tokens":9,"output_tokens":7}}`, "", "[{input 9} {output 7} {image_input 9}]"},
		{"more than all", draw, `{"model":"gpt-image-1","prompt":"x"}`, nil, `{"created":1,"data":[],"usage":{"input_tokens":9,"input_tokens_details":{"image_tokens":10},"output_tokens":7}}`, "", "[{input 9} {output 7} {image_input 9}]"},
		{"no usage", draw, `{"model":"dall-e-3","prompt":"x"}`, nil, `{"created":1,"data":[]}`, `{"created":1,"data":[]}`, "[]"},
		{"no sense", draw, `{"model":"gpt-image-1","prompt":"x"}`, nil, `{"created":1,"data":[],"usage":{"input_tokens":-9,"seconds":5}}`, "", "[]"},
		{
			"by tokens", transcribe, "", wav,
			`{"text":"a","languages":[{"code":"en","x":1}],"x":1,"logprobs":[{"token":"a","logprob":-1,"bytes":[97]}],"usage":{"type":"tokens","input_tokens":9,"input_token_details":{"text_tokens":1,"audio_tokens":8},"output_tokens":2,"total_tokens":11}}`,
			`{"text":"a","languages":[{"code":"en"}],"logprobs":[{"token":"a","logprob":-1,"bytes":[97]}],"usage":{"type":"tokens","input_tokens":9,"input_token_details":{"text_tokens":1,"audio_tokens":8},"output_tokens":2,"total_tokens":11}}`,
			"[{input 9} {output 2} {audio_input 8}]",
		},
		{
			"by seconds", transcribe, "", wav,
			`{"task":"transcribe","language":"english","duration":2.5,"text":"a","segments":[{"id":0,"start":0,"end":1,"text":"a","tokens":[1],"x":1},{"id":"seg_1","type":"transcript.text.segment","start":0,"end":1,"text":"b","speaker":"A"}],"words":[{"word":"a","start":0,"end":1,"x":1}],"usage":{"type":"duration","seconds":2.5}}`,
			`{"task":"transcribe","language":"english","duration":2.5,"text":"a","segments":[{"id":0,"start":0,"end":1,"text":"a","tokens":[1]},{"id":"seg_1","type":"transcript.text.segment","start":0,"end":1,"text":"b","speaker":"A"}],"words":[{"word":"a","start":0,"end":1}],"usage":{"type":"duration","seconds":2.5}}`,
			"[{seconds 3}]",
		},
		{"for ever", transcribe, "", wav, `{"text":"a","usage":{"type":"duration","seconds":1e300}}`, "", "[]"},
		{"backwards", transcribe, "", wav, `{"text":"a","usage":{"type":"duration","seconds":-1}}`, "", "[]"},
		{"translated", translate, "", wav, `{"text":"a","x":1}`, `{"text":"a"}`, "[]"},
	} {
		r, err := openai.ParseCall(openai.Find(x.path)[0], openai.Sent{Path: x.path, Body: []byte(x.in), Parts: x.parts}, nil)
		if err != nil {
			t.Fatal(x.name, err)
		}
		got, u, err := r.Answer([]byte(x.answer))
		if err != nil || x.want != "" && string(got) != x.want || fmt.Sprint(u) != x.used {
			t.Errorf("%s: %s %v %v", x.name, got, u, err)
		}
	}
}

// TestMediaStreams: which events pass, in which form, and how a stream ends.
func TestMediaStreams(t *testing.T) {
	const image = `"b64_json":"AA","created_at":1,"size":"auto","quality":"low","background":"auto","output_format":"png"`
	for _, x := range []struct {
		name, path, in string
		parts          []openai.Part
		frames, want   []string
		used           string
	}{
		{
			"images", draw, `{"model":"gpt-image-1","prompt":"x","stream":true}`, nil,
			[]string{
				`{"type":"image_generation.partial_image",` + image + `,"partial_image_index":0,"x":1}`, `{"type":"image_generation.thought","x":1}`, `{"type":"image_edit.completed",` + image + `}`,
				`{"type":"image_generation.completed",` + image + `,"x":1,"usage":{"input_tokens":1,"output_tokens":2,"total_tokens":3}}`,
			},
			[]string{
				"event: image_generation.partial_image\ndata: " + `{"type":"image_generation.partial_image",` + image + `,"partial_image_index":0}`, "", "",
				"event: image_generation.completed\ndata: " + `{"type":"image_generation.completed",` + image + `,"usage":{"input_tokens":1,"output_tokens":2,"total_tokens":3}}`,
			},
			"[{input 1} {output 2} {image_input 1}] true",
		},
		{
			"speech", speak, `{"model":"gpt-4o-mini-tts","input":"x","voice":"alloy","stream_format":"sse"}`, nil,
			[]string{`{"type":"speech.audio.delta","audio":"AA","x":1}`, `{"type":"speech.audio.done","usage":{"input_tokens":1,"output_tokens":2,"total_tokens":3},"x":1}`},
			[]string{`data: {"type":"speech.audio.delta","audio":"AA"}`, `data: {"type":"speech.audio.done","usage":{"input_tokens":1,"output_tokens":2,"total_tokens":3}}`},
			"[{input 1} {output 2} {audio_output 2}] true",
		},
		{
			"transcript", transcribe, "", fields("file", 5000, "model", "own", "stream", "true"),
			[]string{
				`{"type":"transcript.text.delta","delta":"a","x":1}`, `{"type":"transcript.text.delta","delta":"b","logprobs":[{"token":"b","logprob":0,"bytes":[98]}]}`,
				`{"type":"transcript.text.segment","id":"seg_1","start":0,"end":1,"text":"ab","speaker":"A","x":1}`, `{"type":"transcript.text.done","text":"ab","x":1}`,
			},
			[]string{
				`data: {"type":"transcript.text.delta","delta":"a"}`, `data: {"type":"transcript.text.delta","delta":"b","logprobs":[{"token":"b","logprob":0,"bytes":[98]}]}`,
				`data: {"type":"transcript.text.segment","id":"seg_1","start":0,"end":1,"text":"ab","speaker":"A"}`, `data: {"type":"transcript.text.done","text":"ab"}`,
			},
			"[] false",
		},
	} {
		r, err := openai.ParseCall(openai.Find(x.path)[0], openai.Sent{Path: x.path, Body: []byte(x.in), Parts: x.parts}, nil)
		if err != nil {
			t.Fatal(x.name, err)
		}
		ev := r.Events()
		for i, f := range x.frames {
			got, err := ev.Append(nil, openai.Frame{Data: []byte(f)})
			if want := x.want[i]; err != nil || strings.TrimSuffix(string(got), "\n\n") != want || ev.Done() != (i == len(x.frames)-1) {
				t.Errorf("%s: event %d is\n%s\nwant\n%s\ndone %t, %v", x.name, i, got, want, ev.Done(), err)
			}
		}
		if got := fmt.Sprint(ev.Units()); got != x.used {
			t.Errorf("%s: used %s", x.name, got)
		}
		if got := string(ev.AppendError(nil, &claviger.Error{Code: claviger.CodeUpstreamError})); !strings.HasPrefix(got, `data: {"error":{`) {
			t.Errorf("%s: an error is %s", x.name, got)
		}
	}
	r, err := openai.ParseCall(openai.Find(draw)[0], openai.Sent{Path: draw, Body: []byte(`{"model":"gpt-image-1","prompt":"x","stream":true}`)}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for frame, code := range map[string]claviger.Code{
		`{"type":"error","error":{"code":"rate_limit_exceeded","message":"org-1"}}`: claviger.CodeUpstreamBusy,
		`{"type":"error","error":{"code":"server_error","message":"org-1"}}`:        claviger.CodeUpstreamError,
		`{"type":"image_generation.completed"}`:                                     claviger.CodeUpstreamError,
	} {
		out, err := r.Events().Append(nil, openai.Frame{Data: []byte(frame)})
		if f, ok := errors.AsType[*claviger.Error](err); !ok || f.Code != code || len(out) > 0 || strings.Contains(err.Error(), "org-1") {
			t.Errorf("%s: %s %v", frame, out, err)
		}
	}
}
