package openaitest_test

import (
	"bytes"
	"encoding/base64"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/openai/openai-go/v3"

	"claviger.dev/claviger/openaitest"
)

func say(more ...any) object {
	return with(object{"model": "gpt-4o-mini-tts", "input": "one two three", "voice": "alloy"}, more...)
}

func TestSpeech(t *testing.T) {
	srv := newServer(t, openaitest.Options{})
	for format, want := range map[string]struct{ ctype, begins, detected string }{
		"": {"audio/mpeg", "\xff\xfb", ""}, "mp3": {"audio/mpeg", "\xff\xfb", ""}, "wav": {"audio/wav", "RIFF", "audio/wave"}, "pcm": {"audio/pcm", "", ""},
		"opus": {"audio/opus", "OggS", "application/ogg"}, "aac": {"audio/aac", "\xff\xf1", ""}, "flac": {"audio/flac", "fLaC", ""},
	} {
		body := say()
		if format != "" {
			body["response_format"] = format
		}
		resp, b := send(t, request(t, srv, "/audio/speech", body))
		if resp.StatusCode != 200 || resp.Header.Get("Content-Type") != want.ctype || !strings.HasPrefix(string(b), want.begins) || len(b) < 30 ||
			want.detected != "" && http.DetectContentType(b) != want.detected {
			t.Errorf("%q: %d, %v, %q, detected as %s", format, resp.StatusCode, resp.Header["Content-Type"], b[:min(len(b), 40)], http.DetectContentType(b))
		}
	}
	wait(t, srv, openaitest.Ended(7))
	if u := srv.Units().Total; u.Output != 7*3 || u.Input != 7*4 {
		t.Errorf("%+v", u)
	}
	send(t, request(t, srv, "/audio/speech", say("model", "tts-1")))
	if u := srv.Units().Total; u.Output != 7*3 {
		t.Errorf("a model that is billed by characters: %+v", u)
	}
	srv.Inject(mustParse(t, "cut times=1"))
	resp, err := fresh(t).Do(request(t, srv, "/audio/speech", say()))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if _, err := io.ReadAll(resp.Body); err == nil {
		t.Error("a cut is not noticed")
	}
}

func TestSpeechEvents(t *testing.T) {
	d := documentIfThere(t)
	srv := newServer(t, openaitest.Options{})
	events := stream(t, srv, "/audio/speech", say("stream_format", "sse", "response_format", "wav"))
	var sound []byte
	for i, e := range events {
		o := e.object(t)
		schema := "SpeechAudioDeltaEvent"
		if i == len(events)-1 {
			schema = "SpeechAudioDoneEvent"
		}
		d.must(t, schema, o)
		d.must(t, "CreateSpeechResponseStreamEvent", o)
		b, err := base64.StdEncoding.DecodeString(text(o["audio"]))
		if err != nil {
			t.Fatal(err)
		}
		sound = append(sound, b...)
	}
	_, whole := send(t, request(t, srv, "/audio/speech", say("response_format", "wav")))
	if len(events) != 4 || !bytes.Equal(sound, whole) || at(t, events[3].object(t), "usage", "total_tokens") != 7.0 {
		t.Errorf("%v, %d bytes and %d", names(events), len(sound), len(whole))
	}
	for _, e := range stream(t, srv, "/audio/speech", say("stream_format", "sse", "response_format", "flac"))[:3] {
		d.must(t, "SpeechAudioDeltaEvent", e.object(t))
	}
	srv.Inject(mustParse(t, "error-event after=1 times=1"))
	if events := stream(t, srv, "/audio/speech", say("stream_format", "sse")); len(events) != 2 || events[1].object(t)["type"] != "error" {
		t.Errorf("%v", events)
	}
}

func TestSpeechRefusals(t *testing.T) {
	srv := newServer(t, openaitest.Options{})
	for _, r := range []refusal{
		{"no input", "", object{"model": "tts-1", "voice": "alloy"}, 400, "missing_required_parameter", "input"},
		{"no voice", "", object{"model": "tts-1", "input": "x"}, 400, "missing_required_parameter", "voice"},
		{"no model", "", object{"input": "x", "voice": "alloy"}, 400, "missing_required_parameter", "model"},
		{"a chat model", "", say("model", mini), 400, "", "model"},
		{"unknown voice", "", say("voice", "mine"), 400, "invalid_value", "voice"},
		{"custom voice", "", say("voice", object{"id": "voice_1"}), 404, "", "voice"},
		{"long", "", say("input", strings.Repeat("x", 4097)), 400, "string_above_max_length", "input"},
		{"fast", "", say("speed", 5), 400, "decimal_above_max_value", "speed"},
		{"format", "", say("response_format", "midi"), 400, "invalid_value", "response_format"},
		{"older stream", "", say("model", "tts-1-hd", "stream_format", "sse"), 400, "unsupported_value", "stream_format"},
		{"unknown member", "", say("owner", "x"), 400, "unknown_parameter", "owner"},
	} {
		e := call(t, srv, "/audio/speech", r.body, r.status)["error"].(object)
		if text(e["code"]) != r.code || text(e["param"]) != r.param {
			t.Errorf("%s: want code %q and param %q, got %v", r.name, r.code, r.param, e)
		}
	}
}

// recording is 2.5 seconds of WAV, and what else a test wants in it.
func recording(t *testing.T, more string) field {
	t.Helper()
	srv := newServer(t, openaitest.Options{})
	_, b := send(t, request(t, srv, "/audio/speech", say("response_format", "wav", "input", strings.TrimSpace(strings.Repeat("word ", 125)))))
	return field{name: "file", value: string(b) + more, file: "a.wav", ctype: "audio/wav"}
}

func TestTranscriptions(t *testing.T) {
	d := documentIfThere(t)
	srv := newServer(t, openaitest.Options{})
	file := recording(t, "[[say:How do bees fly?]]")
	model := func(name string) field { return field{name: "model", value: name} }
	format := func(name string) field { return field{name: "response_format", value: name} }
	o := post(t, srv, "/audio/transcriptions", 200, file, model("gpt-4o-transcribe"), field{name: "include[]", value: "logprobs"})
	d.must(t, "CreateTranscriptionResponseJson", o)
	if o["text"] != "How do bees fly?" || at(t, o, "usage", "type") != "tokens" || at(t, o, "usage", "output_tokens") != 4.0 || at(t, o, "usage", "input_token_details", "audio_tokens") != 26.0 {
		t.Errorf("%v", o)
	}
	if u := srv.Units().Total; u.Input != 26 || u.Output != 4 {
		t.Errorf("%+v", u)
	}
	o = post(t, srv, "/audio/transcriptions", 200, file, model("whisper-1"), field{name: "language", value: "en"}, field{name: "temperature", value: "0.2"})
	d.must(t, "CreateTranscriptionResponseJson", o)
	if at(t, o, "usage", "type") != "duration" || at(t, o, "usage", "seconds") != 3.0 {
		t.Errorf("%v", o)
	}
	o = post(t, srv, "/audio/transcriptions", 200, file, model("whisper-1"), format("verbose_json"), field{name: "timestamp_granularities[]", value: "word"}, field{name: "timestamp_granularities[]", value: "segment"})
	d.must(t, "CreateTranscriptionResponseVerboseJson", o)
	if len(o["words"].([]any)) != 4 {
		t.Errorf("%v", o)
	}
	o = post(t, srv, "/audio/transcriptions", 200, file, model("gpt-4o-transcribe-diarize"), format("diarized_json"), field{name: "chunking_strategy", value: "auto"})
	d.must(t, "CreateTranscriptionResponseDiarizedJson", o)
	for name, begins := range map[string]string{
		"text": "How do bees fly?\n", "srt": "1\n00:00:00,000 --> 00:00:02,501\nHow do bees fly?", "vtt": "WEBVTT\n\n00:00:00.000 --> 00:00:02.501\nHow do bees fly?",
	} {
		resp, b := send(t, formRequest(t, srv, "/audio/transcriptions", file, model("whisper-1"), format(name)))
		if resp.StatusCode != 200 || resp.Header.Get("Content-Type") != "text/plain; charset=utf-8" || !strings.HasPrefix(string(b), begins) {
			t.Errorf("%s: %d %v %q", name, resp.StatusCode, resp.Header, b)
		}
	}
	o = post(t, srv, "/audio/translations", 200, file, model("whisper-1"))
	d.must(t, "CreateTranslationResponseJson", o)
	d.must(t, "CreateTranslationResponseVerboseJson", post(t, srv, "/audio/translations", 200, file, model("whisper-1"), format("verbose_json")))
}

func TestTranscriptionStreams(t *testing.T) {
	d := documentIfThere(t)
	srv := newServer(t, openaitest.Options{})
	file := recording(t, "[[say:How do bees fly?]]")
	for model, want := range map[string][]string{
		"gpt-4o-mini-transcribe":    {"TranscriptTextDeltaEvent", "TranscriptTextDeltaEvent", "TranscriptTextDeltaEvent", "TranscriptTextDeltaEvent", "TranscriptTextDoneEvent"},
		"gpt-4o-transcribe-diarize": {"TranscriptTextDeltaEvent", "TranscriptTextDeltaEvent", "TranscriptTextDeltaEvent", "TranscriptTextDeltaEvent", "TranscriptTextSegmentEvent", "TranscriptTextDoneEvent"},
	} {
		resp, b := send(t, formRequest(t, srv, "/audio/transcriptions", file, field{name: "model", value: model}, field{name: "stream", value: "true"}))
		events, _ := readEvents(bytes.NewReader(b))
		if len(events) != len(want) || resp.Header.Get("Content-Type") != "text/event-stream; charset=utf-8" {
			t.Fatalf("%s: %s", model, b)
		}
		for i, e := range events {
			d.must(t, want[i], e.object(t))
			d.must(t, "CreateTranscriptionResponseStreamEvent", e.object(t))
		}
		if last := events[len(events)-1].object(t); last["text"] != "How do bees fly?" || at(t, last, "usage", "output_tokens") != 4.0 {
			t.Errorf("%v", last)
		}
	}
	resp, b := send(t, formRequest(t, srv, "/audio/transcriptions", file, field{name: "model", value: "whisper-1"}, field{name: "stream", value: "true"}))
	if resp.Header.Get("Content-Type") != "application/json" {
		t.Errorf("whisper streams: %s", b)
	}
}

func TestTranscriptionRefusals(t *testing.T) {
	srv := newServer(t, openaitest.Options{})
	file := recording(t, "")
	model := field{name: "model", value: "gpt-4o-transcribe"}
	for param, fields := range map[string][]field{
		"file": {model}, "model": {file}, "response_format": {file, model, {name: "response_format", value: "srt"}}, "temperature": {file, model, {name: "temperature", value: "2"}},
		"owner": {file, model, {name: "owner", value: "x"}}, "include[0]": {file, model, {name: "include", value: "x"}},
		"timestamp_granularities": {file, model, {name: "timestamp_granularities[]", value: "word"}}, "stream": {file, model, {name: "stream", value: "maybe"}},
	} {
		if e := post(t, srv, "/audio/transcriptions", 400, fields...); at(t, e, "error", "param") != param {
			t.Errorf("%s: %v", param, e)
		}
	}
	post(t, srv, "/audio/transcriptions", 400, field{name: "file", value: "x", file: "a.exe"}, model)
	post(t, srv, "/audio/transcriptions", 404, file, field{name: "model", value: "whisper-0"})
	post(t, srv, "/audio/translations", 400, file, model)
	post(t, srv, "/audio/translations", 400, file, field{name: "model", value: "whisper-1"}, field{name: "language", value: "en"})
}

func TestOfficialLibraryAudio(t *testing.T) {
	srv := newServer(t, openaitest.Options{})
	client := sdk(t, srv)
	resp, err := client.Audio.Speech.New(t.Context(), openai.AudioSpeechNewParams{
		Input: "one two", Model: "gpt-4o-mini-tts", Voice: openai.AudioSpeechNewParamsVoiceUnion{OfString: openai.String("alloy")}, ResponseFormat: openai.AudioSpeechNewParamsResponseFormatWAV,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	sound, err := io.ReadAll(resp.Body)
	if err != nil || !bytes.HasPrefix(sound, []byte("RIFF")) {
		t.Errorf("%v %q", err, sound)
	}
	file := func() io.Reader { return openai.File(bytes.NewReader(sound), "a.wav", "audio/wav") }
	heard, err := client.Audio.Transcriptions.New(t.Context(), openai.AudioTranscriptionNewParams{File: file(), Model: "gpt-4o-transcribe"})
	if err != nil || heard.Text == "" || heard.Usage.TotalTokens == 0 {
		t.Errorf("%v: %+v", err, heard)
	}
	events := client.Audio.Transcriptions.NewStreaming(t.Context(), openai.AudioTranscriptionNewParams{File: file(), Model: "gpt-4o-transcribe"})
	var streamed strings.Builder
	for events.Next() {
		streamed.WriteString(events.Current().Delta)
	}
	if events.Err() != nil || streamed.String() != heard.Text {
		t.Errorf("%v: %q", events.Err(), streamed.String())
	}
	//nolint:staticcheck // the library calls it deprecated, the document has it
	translated, err := client.Audio.Translations.New(t.Context(), openai.AudioTranslationNewParams{File: file(), Model: openai.AudioModelWhisper1})
	if err != nil || translated.Text == "" {
		t.Errorf("%v: %+v", err, translated)
	}
}
