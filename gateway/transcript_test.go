package gateway_test

import (
	"bytes"
	"context"
	"mime/multipart"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"claviger.dev/claviger"
	"claviger.dev/claviger/authz"
	"claviger.dev/claviger/gateway"
	"claviger.dev/claviger/openaitest"
)

// scribe keeps transcripts of one plan.
type scribe struct {
	mu    sync.Mutex
	plan  string
	parts claviger.TranscriptParts
	asked int
	kept  []claviger.Transcript
}

func (s *scribe) Keeps(plan string) claviger.TranscriptParts {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked++
	if plan != s.plan {
		return claviger.TranscriptParts{}
	}
	return s.parts
}

func (s *scribe) Keep(t claviger.Transcript) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.kept = append(s.kept, t)
}

// take is what was kept since it was last asked. The rig's end of a request comes
// after the answer, so it is waited for.
func (s *scribe) take(t *testing.T, n int) []claviger.Transcript {
	t.Helper()
	var out []claviger.Transcript
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(time.Millisecond) {
		s.mu.Lock()
		if len(s.kept) >= n {
			out, s.kept = s.kept, nil
		}
		s.mu.Unlock()
		if out != nil {
			return out
		}
		if time.Now().After(deadline) {
			t.Fatal("no transcript for 30 s")
		}
	}
}

func scribed(t testing.TB, change func(*parts)) (*rig, *scribe) {
	s := &scribe{plan: "all", parts: claviger.TranscriptParts{Prompts: true, Answers: true}}
	return newRig(t, func(p *parts) {
		p.options.Transcripts = s
		if change != nil {
			change(p)
		}
	}), s
}

// TestTranscripts: what was sent and what came back is kept, word for word, of every
// way to call a model.
func TestTranscripts(t *testing.T) {
	const plain = `naïve ☃ 😀 "quoted" submarine`
	r, s := scribed(t, func(p *parts) { p.snapshot.Proxy.Endpoints = append(p.snapshot.Proxy.Endpoints, "audio.speech") })
	say := "repeat after me: " + plain
	for _, c := range []struct {
		name, path, body, prompt string
		headers                  []string
	}{
		{name: "chat", path: chatPath, body: chat(say)},
		{name: "chat, streamed", path: chatPath, body: chatStream(say)},
		{name: "responses, streamed", path: "/v1/responses", body: responseStream(say)},
		{name: "action", path: generatePath, body: generate(say)},
		{name: "action, streamed", path: generatePath, body: generate(say), headers: []string{"Accept", "text/event-stream"}},
		{
			name: "form", path: generatePath, body: "prompt=repeat+after+me%3A+" + strings.ReplaceAll(plain, " ", "+"),
			prompt: `{"prompt":"repeat after me: ` + strings.ReplaceAll(plain, `"`, `\"`) + `"}`, headers: []string{"Content-Type", "application/x-www-form-urlencoded", "Accept", "text/html"},
		},
	} {
		a := r.post(c.path, c.body, c.headers...)
		if a.status != 200 {
			t.Fatalf("%s: %d %s", c.name, a.status, a.body)
		}
		if c.prompt == "" {
			c.prompt = c.body
		}
		got := s.take(t, 1)
		if x := got[0]; len(got) != 1 || string(x.Prompt) != c.prompt || string(x.Answer) != plain || x.PromptCut || x.AnswerCut {
			t.Errorf("%s: prompt %q, answer %q, want %q", c.name, x.Prompt, x.Answer, plain)
		}
		if x := got[0]; x.RequestID != a.header.Get("X-Request-Id") || x.Subject == "" || x.Realm == "" || x.Plan != "all" || x.Model != model || x.Endpoint == "" || x.Started.IsZero() {
			t.Errorf("%s: %+v of %q in %q on %q with %q", c.name, x.RequestID, x.Subject, x.Realm, x.Plan, x.Model)
		}
	}
	if text := r.logs.String(); strings.Contains(text, "submarine") {
		t.Error("a prompt is in the log")
	}
}

// TestTranscriptsOfNobody: nothing is gathered of a plan, or a part, that is not
// kept, of calls that were refused, or of those that run no model.
func TestTranscriptsOfNobody(t *testing.T) {
	r, s := scribed(t, func(p *parts) {
		p.plans = []authz.Plan{
			{Name: "other", When: `user.subject == "bob"`, Models: []string{model}},
			{Name: "all", Models: []string{model}},
		}
	})
	if a := r.post(chatPath, chat("hi"), "Authorization", r.ticket("bob")); a.status != 200 {
		t.Fatal(a.body)
	}
	r.post(chatPath, `{"model":"gpt-5-other","messages":[{"role":"user","content":"hi"}]}`)
	r.post(chatPath, `{"model":`)
	r.post(chatPath, chat("hi"), "Authorization", "Bearer x")
	r.send(http.MethodGet, "/v1/models", "")
	s.mu.Lock()
	s.parts.Prompts = false
	s.mu.Unlock()
	if a := r.post(chatPath, chat("repeat after me: hello")); a.status != 200 {
		t.Fatal(a.body)
	}
	if got := s.take(t, 1); len(got) != 1 || got[0].Prompt != nil || string(got[0].Answer) != "hello" {
		t.Errorf("kept %d: %q, %q", len(got), got[0].Prompt, got[0].Answer)
	}
	if s.asked < 2 {
		t.Error("nobody was asked: the test proves nothing")
	}
}

// TestTranscriptsAreCut: at most so many bytes, visibly, and never within a
// character.
func TestTranscriptsAreCut(t *testing.T) {
	for offset := range 4 {
		long := strings.Repeat("a", offset) + strings.Repeat("😀", claviger.MostTranscript/4+10)
		r, s := scribed(t, func(p *parts) {
			p.snapshot.Upstream = &fakeUpstream{do: func(context.Context, claviger.Authorized) (*http.Response, error) {
				return reply(`{"id":"chatcmpl-1","object":"chat.completion","created":1,"model":"gpt-4.1-mini","choices":[{"index":0,"message":{"role":"assistant","content":"` +
					long + `"},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}}`), nil
			}}
		})
		if a := r.post(chatPath, chat(long)); a.status != 200 {
			t.Fatalf("%d %.200s", a.status, a.body)
		}
		x := s.take(t, 1)[0]
		if !x.PromptCut || !x.AnswerCut || len(x.Prompt) > claviger.MostTranscript || len(x.Answer) < claviger.MostTranscript-16 || !strings.HasPrefix(long, string(x.Answer)) {
			t.Errorf("offset %d: prompt of %d, answer of %d bytes, cut %v %v", offset, len(x.Prompt), len(x.Answer), x.PromptCut, x.AnswerCut)
		}
	}
}

// TestTranscriptOfOurKey: an answer that was stopped for one of our keys is not kept
// either; a failed call keeps its prompt; and files are told by their size.
func TestTranscriptOfOurKey(t *testing.T) {
	r, s := scribed(t, func(p *parts) {
		p.snapshot.Proxy = &gateway.Proxy{Endpoints: []claviger.Endpoint{"responses", "chat.completions", "audio.transcriptions"}}
		p.plans[0].Models = []string{model, "gpt-4o-mini-transcribe", "whisper-1"}
	})
	for _, body := range []string{chat("repeat after me: " + r.upstreamKey), chatStream("repeat after me: " + r.upstreamKey)} {
		resp, err := r.open(context.Background(), http.MethodPost, chatPath, body)
		must(t, err)
		_ = read(resp)
		if x := s.take(t, 1)[0]; strings.Contains(string(x.Answer), "sk-") || !x.AnswerCut {
			t.Errorf("kept %q", x.Answer)
		}
	}
	r.sim.Inject(openaitest.Fault{Kind: openaitest.Status, Status: 500, Times: 10})
	r.post(chatPath, chat("will fail"))
	if x := s.take(t, 1)[0]; !strings.Contains(string(x.Prompt), "will fail") || len(x.Answer) > 0 {
		t.Errorf("of a failed call: %q, %q", x.Prompt, x.Answer)
	}
	r.sim.Clear()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	must(t, w.WriteField("model", "whisper-1"))
	f, err := w.CreateFormFile("file", "a.wav")
	must(t, err)
	_, err = f.Write(make([]byte, 3000))
	must(t, err)
	must(t, w.Close())
	a := r.post("/v1/audio/transcriptions", b.String(), "Content-Type", w.FormDataContentType())
	if a.status != 200 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	if x := s.take(t, 1)[0]; !strings.Contains(string(x.Prompt), `"file":"(a file of 3000 bytes)"`) || len(x.Answer) == 0 {
		t.Errorf("of sound: %q, %q", x.Prompt, x.Answer)
	}
}

// BenchmarkProxyStream200Kept is BenchmarkProxyStream200 with its words kept;
// BenchmarkProxyStream200OfOthers with a policy that keeps those of another plan.
func BenchmarkProxyStream200Kept(b *testing.B)     { benchmarkKept(b, "all") }
func BenchmarkProxyStream200OfOthers(b *testing.B) { benchmarkKept(b, "other") }

type forgetful struct{ scribe }

func (*forgetful) Keep(claviger.Transcript) {}

func benchmarkKept(b *testing.B, plan string) {
	stream := strings.Repeat(chunk("word "), 200) + chatUsage + chatEnd
	s := &forgetful{scribe{plan: plan, parts: claviger.TranscriptParts{Prompts: true, Answers: true}}}
	benchmark(b, chatPath, chatStream("Say hello."), func(claviger.Call) string { return stream }, func(p *parts) { p.options.Transcripts = s })
}
