package gateway_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"mime/multipart"
	"net/http"
	"strings"
	"testing"

	"claviger.dev/claviger"
	"claviger.dev/claviger/admit"
	"claviger.dev/claviger/gateway"
	"claviger.dev/claviger/openai"
	"claviger.dev/claviger/openaitest"
)

// pixel begins like a picture.
const pixel = "\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"

type formFile struct{ name, file, content string }

// form is a multipart body of one file and of fields in pairs.
func form(t testing.TB, f formFile, fields ...string) (body, contentType string) {
	t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	// The file comes first: it is sent last.
	part, err := w.CreateFormFile(f.name, f.file)
	must(t, err)
	_, err = part.Write([]byte(f.content))
	must(t, err)
	for i := 0; i < len(fields); i += 2 {
		must(t, w.WriteField(fields[i], fields[i+1]))
	}
	must(t, w.Close())
	return b.String(), w.FormDataContentType()
}

// silence is a recording of so many seconds, as a WAV of little depth, that says
// something.
func silence(seconds int, say string) string {
	const rate = 500
	data := make([]byte, seconds*rate)
	copy(data, say)
	b := []byte("RIFF\x00\x00\x00\x00WAVEfmt \x10\x00\x00\x00\x01\x00\x01\x00")
	b = binary.LittleEndian.AppendUint32(b, rate)
	b = binary.LittleEndian.AppendUint32(b, rate)
	b = append(b, "\x01\x00\x08\x00data"...)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(data)))
	return string(append(b, data...))
}

// spending opens the endpoints of images and sound to people with a budget of so
// many dollars and so many tokens a day.
func spending(dollars, tokens int64) func(*parts) {
	return func(p *parts) {
		p.snapshot.Proxy = &gateway.Proxy{Endpoints: []claviger.Endpoint{
			"images.generations", "images.edits", "audio.speech", "audio.transcriptions", "audio.translations", "chat.completions",
		}, Policy: openai.Policy{MaxChoices: 2}}
		p.plans[0].Models = []string{"*"}
		p.plans[0].Limits = []claviger.Limit{
			{Kind: claviger.ChargeMoney, Window: claviger.Window{Limit: dollars * 1_000_000, Per: claviger.PeriodDay, Currency: admit.Currency}},
			{Kind: claviger.ChargeTokens, Window: claviger.Window{Limit: tokens, Per: claviger.PeriodDay}},
		}
	}
}

// TestMediaAccount: each call of images and sound passes, is settled by what the
// provider reported, and where that was nothing, by what was held.
func TestMediaAccount(t *testing.T) {
	r := newRig(t, spending(100, 10_000_000))
	wav := formFile{"file", "a.wav", silence(120, "[[say:How do bees fly?]]")}
	image := formFile{"image", "a.png", pixel}
	draw := func(more string) string {
		return `{"model":"gpt-image-1","prompt":"a bee","quality":"high","size":"1024x1536"` + more + `}`
	}
	for _, c := range []struct {
		name, path, body string
		file             *formFile
		fields           []string
		// What is settled in millionths and tokens, and a piece of the answer.
		micros, tokens int64
		held           bool
		want, hidden   string
	}{
		// Prompt 2 tokens; 2 × 5 + 6,240 × 40.
		{name: "draw", path: "images/generations", body: draw(""), micros: 10 + 249_600, tokens: 6242, want: `"b64_json":"`, hidden: "x_account"},
		{name: "draw two", path: "images/generations", body: draw(`,"n":2`), micros: 10 + 2*249_600, tokens: 2 + 2*6240, want: `"quality":"high"`},
		{name: "draw in a stream", path: "images/generations", body: draw(`,"stream":true,"partial_images":2`), micros: 10 + 257_600, tokens: 6442, want: "event: image_generation.completed\ndata: {"},
		// One image of 194 tokens at 10.
		{name: "edit", path: "images/edits", file: &image, fields: []string{"model", "gpt-image-1", "prompt", "a bee", "quality", "low"}, micros: 10 + 1940 + 10_880, tokens: 468, want: `"b64_json":"`},
		{name: "edit in a stream", path: "images/edits", file: &image, fields: []string{"model", "gpt-image-1", "prompt", "a bee", "quality", "low", "stream", "true"}, micros: 10 + 1940 + 10_880, tokens: 468, want: "event: image_edit.completed"},
		{name: "edit by JSON", path: "images/edits", body: `{"model":"gpt-image-1","prompt":"a bee","quality":"low","images":[{"image_url":"data:image/png;base64,AAAA"}]}`, micros: 10 + 1940 + 10_880, tokens: 468, want: `"b64_json":"`},
		// 13 characters at 15 and 30; no tokens but those that bound the text.
		{name: "speak", path: "audio/speech", body: `{"model":"tts-1","input":"Hello, world.","voice":"alloy"}`, micros: 195, tokens: 79, held: true, want: "\xff\xfb"},
		{name: "speak better", path: "audio/speech", body: `{"model":"tts-1-hd","input":"Hello, world.","voice":"alloy","response_format":"wav"}`, micros: 390, tokens: 79, held: true, want: "RIFF"},
		{name: "speak by tokens", path: "audio/speech", body: `{"model":"gpt-4o-mini-tts","input":"Hello, world.","voice":"alloy"}`, micros: 48 + 1248, tokens: 79 + 104, held: true, want: "\xff\xfb"},
		{name: "speak in a stream", path: "audio/speech", body: `{"model":"gpt-4o-mini-tts","input":"Hello, world.","voice":"alloy","stream_format":"sse"}`, micros: 3 + 24, tokens: 6, want: `data: {"type":"speech.audio.done"`},
		// 1,200 tokens of sound at 6, 5 of text at 10.
		{name: "listen", path: "audio/transcriptions", file: &wav, fields: []string{"model", "gpt-4o-transcribe"}, micros: 7200 + 40, tokens: 1204, want: `{"text":"How do bees fly?"`, hidden: "x_account"},
		{name: "listen in a stream", path: "audio/transcriptions", file: &wav, fields: []string{"model", "gpt-4o-transcribe", "stream", "true"}, micros: 7200 + 40, tokens: 1204, want: `data: {"type":"transcript.text.delta","delta":"How`},
		// 120 seconds at 100.
		{name: "whisper", path: "audio/transcriptions", file: &wav, fields: []string{"model", "whisper-1", "response_format", "verbose_json", "timestamp_granularities[]", "word"}, micros: 12_000, want: `"words":[{"word":"How"`},
		// 120.088 seconds of 500 bytes, each that was begun.
		{name: "whisper a text", path: "audio/transcriptions", file: &wav, fields: []string{"model", "whisper-1", "response_format", "text"}, micros: 12_100, tokens: 64, held: true, want: "How do bees fly?\n"},
		{name: "translate", path: "audio/translations", file: &wav, fields: []string{"model", "whisper-1"}, micros: 12_100, tokens: 64, held: true, want: `{"text":"How do bees fly?"}`},
	} {
		money, tokens, n := r.holds.used(claviger.ChargeMoney), r.holds.used(claviger.ChargeTokens), len(r.events.all())
		body, kind := c.body, "application/json"
		if c.file != nil {
			body, kind = form(t, *c.file, c.fields...)
		}
		r.sim.Inject(openaitest.Fault{Kind: openaitest.Extra, Times: 1})
		a := r.post("/v1/"+c.path, body, "Content-Type", kind)
		r.events.wait(t, n+1)
		e := r.events.last(t)
		money, tokens = r.holds.used(claviger.ChargeMoney)-money, r.holds.used(claviger.ChargeTokens)-tokens
		if a.status != http.StatusOK || a.err != nil || !strings.Contains(a.body, c.want) || c.hidden != "" && strings.Contains(a.body, c.hidden) {
			t.Errorf("%s: %d %.300q %v", c.name, a.status, a.body, a.err)
		}
		if money != c.micros || tokens != c.tokens || e.Estimated != c.held || e.Cost.Micros != c.micros {
			t.Errorf("%s: %d millionths and %d tokens, want %d and %d; %+v %v", c.name, money, tokens, c.micros, c.tokens, e.Units, e.Estimated)
		}
		t.Logf("%-20s %7d millionths %6d tokens", c.name, money, tokens)
	}
}

// TestMediaWithoutUsage: what reports nothing is settled as it was held.
func TestMediaWithoutUsage(t *testing.T) {
	r := newRig(t, spending(100, 10_000_000))
	for i, c := range []struct {
		body   string
		micros int64
	}{
		// The prompt in JSON is 7 bytes, and 64 frame it; the largest image.
		{`{"model":"gpt-image-1","prompt":"a bee"}`, 71*5 + 249_600},
		{`{"model":"gpt-image-1","prompt":"a bee","stream":true,"partial_images":1}`, 71*5 + 253_600},
	} {
		before := r.holds.used(claviger.ChargeMoney)
		r.sim.Inject(openaitest.Fault{Kind: openaitest.NoUsage, Times: 1})
		a := r.post("/v1/images/generations", c.body)
		r.events.wait(t, i+1)
		if got := r.holds.used(claviger.ChargeMoney) - before; a.status != http.StatusOK || got != c.micros || !r.events.last(t).Estimated {
			t.Errorf("%d: %d millionths, want %d", a.status, got, c.micros)
		}
	}
}

// TestMediaBudget: a call whose worst case does not fit is refused before the
// provider hears of it, and so is a model that has no price for what it would do.
func TestMediaBudget(t *testing.T) {
	wav := formFile{"file", "a.wav", silence(20, "")}
	r := newRig(t, spending(1, 15_000))
	for _, c := range []struct {
		name, path, body string
		fields           []string
		code             string
	}{
		{"6,311 tokens are held, 1,058 used", "images/generations", `{"model":"gpt-image-1-mini","prompt":"a bee"}`, nil, ""},
		{"13,151 fit", "images/generations", `{"model":"gpt-image-1-mini","prompt":"a bee","n":2,"partial_images":3}`, nil, ""},
		{"and do not again", "images/generations", `{"model":"gpt-image-1-mini","prompt":"a bee","n":2,"partial_images":3}`, nil, "budget_exhausted"},
		{"no price", "images/generations", `{"model":"dall-e-3","prompt":"a bee"}`, nil, "model_not_allowed"},
		{"not a price of images", "images/edits", `{"model":"gpt-4.1","prompt":"a bee","images":[{"image_url":"https://example.com/a.png"}]}`, nil, "model_not_allowed"},
		{"not a price of speech", "audio/speech", `{"model":"gpt-4.1","input":"a","voice":"alloy"}`, nil, "model_not_allowed"},
		{"not a price of sound", "audio/transcriptions", "", []string{"model", "gpt-4.1-mini"}, "model_not_allowed"},
		{"paid by the second", "chat/completions", `{"model":"whisper-1","messages":[{"role":"user","content":"a"}]}`, nil, "model_not_allowed"},
		{"paid by the character", "chat/completions", `{"model":"tts-1","messages":[{"role":"user","content":"a"}]}`, nil, "model_not_allowed"},
	} {
		before := r.calls()
		body, kind := c.body, "application/json"
		if c.fields != nil {
			body, kind = form(t, wav, c.fields...)
		}
		a := r.post("/v1/"+c.path, body, "Content-Type", kind)
		went := r.calls() - before
		if a.code() != c.code || went != map[bool]int{true: 1}[c.code == ""] {
			t.Errorf("%s: %d %s, %d calls", c.name, a.status, a.body, went)
		}
	}
}

// TestSpeechPasses: sound comes byte for byte as the provider sent it, marked so
// that no browser runs it, and stops at one of our keys.
func TestSpeechPasses(t *testing.T) {
	r := newRig(t, spending(100, 10_000_000))
	body := `{"model":"gpt-4o-mini-tts","input":"` + strings.Repeat("one two three ", 200) + `","voice":"alloy","response_format":"wav"}`
	a := r.post("/v1/audio/speech", body)
	sent, err := http.NewRequestWithContext(t.Context(), http.MethodPost, r.sim.URL+"/audio/speech", strings.NewReader(body))
	must(t, err)
	sent.Header.Set("Authorization", "Bearer "+r.upstreamKey)
	sent.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(sent)
	must(t, err)
	direct := read(resp)
	http.DefaultClient.CloseIdleConnections()
	if a.status != http.StatusOK || a.body != direct.body || len(a.body) < 100_000 {
		t.Errorf("%d: %d bytes, the provider sent %d", a.status, len(a.body), len(direct.body))
	}
	if a.header.Get("Content-Type") != "audio/wav" || a.header.Get("Content-Disposition") != "attachment" {
		t.Errorf("%v", a.header)
	}
	wav := formFile{"file", "a.wav", silence(20, "[[say:the key is "+r.upstreamKey+"]]")}
	for _, format := range []string{"text", "srt", "json"} {
		body, kind := form(t, wav, "model", "whisper-1", "response_format", format)
		if a := r.post("/v1/audio/transcriptions", body, "Content-Type", kind); a.status == http.StatusOK && a.err == nil || strings.Contains(a.body, r.upstreamKey) {
			t.Errorf("%s: a key passed: %d %v", format, a.status, a.err)
		}
	}
	body, kind := form(t, wav, "model", "gpt-4o-transcribe", "stream", "true")
	if a := r.post("/v1/audio/transcriptions", body, "Content-Type", kind); strings.Contains(a.body, r.upstreamKey) || a.status == http.StatusOK && a.err == nil {
		t.Errorf("a key passed in a stream: %d %q %v", a.status, a.body, a.err)
	}
}

// TestHeaderTripwire: a header that holds a key goes to nobody, and is told of.
func TestHeaderTripwire(t *testing.T) {
	var key string
	r := newRig(t, func(p *parts) {
		spending(100, 10_000_000)(p)
		p.snapshot.Upstream = &fakeUpstream{do: func(context.Context, claviger.Authorized) (*http.Response, error) {
			a := reply("some sound")
			a.Header = http.Header{"Content-Type": {"audio/" + key}}
			return a, nil
		}}
	})
	for _, k := range []string{"wav", r.upstreamKey} {
		key = k
		a := r.post("/v1/audio/speech", `{"model":"gpt-4o-mini-tts","input":"hi","voice":"alloy","response_format":"wav"}`)
		if a.status != http.StatusOK || strings.Contains(fmt.Sprint(a.header), r.upstreamKey) {
			t.Errorf("%d %v", a.status, len(a.header))
		}
	}
	var seen []string
	for _, e := range r.events.all() {
		seen = append(seen, e.Tripwire)
	}
	if len(seen) != 2 || seen[0] != "" || seen[1] != "header" {
		t.Errorf("recorded %q", seen)
	}
}

// TestMediaForwarded: the provider is sent what the table lets through, fields
// before files, under names of ours.
func TestMediaForwarded(t *testing.T) {
	r := newRig(t, spending(100, 10_000_000))
	body, kind := form(t, formFile{"file", "../../Gruß é.WAV", silence(20, "")}, "model", "gpt-4o-transcribe", "temperature", "0.5", "include[]", "logprobs", "chunking_strategy[type]", "server_vad")
	if a := r.post("/v1/audio/transcriptions", body, "Content-Type", kind); a.status != http.StatusOK || !strings.Contains(a.body, `"logprobs":[{`) {
		t.Fatalf("%d %s", a.status, a.body)
	}
	var got []string
	for _, f := range r.sim.Calls()[0].Parts {
		got = append(got, f.Name+"="+f.FileName)
	}
	const want = "model=,temperature=,include[]=,chunking_strategy[type]=,file="
	if s := strings.Join(got, ","); !strings.HasPrefix(s, want) || !strings.HasSuffix(s, ".WAV") || strings.ContainsAny(s, "/ ") {
		t.Errorf("sent %s", s)
	}
	picture := base64.StdEncoding.EncodeToString([]byte(pixel))
	a := r.post("/v1/images/edits", `{"model":"gpt-image-1","prompt":"x","images":[{"image_url":"data:image/png;base64,`+picture+`"}]}`)
	if a.status != http.StatusOK {
		t.Errorf("%d %s", a.status, a.body)
	}
}
