package openai_test

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"claviger.dev/claviger"
	"claviger.dev/claviger/openai"
)

// chatBody is a chat request of about that many bytes.
func chatBody(size int) []byte {
	head := `{"model":"gpt-4.1-mini","temperature":0.7,"stream":true,"messages":[{"role":"user","content":"Hello there."},` +
		`{"role":"assistant","content":"Hello! What can I do for you?"},{"role":"user","content":"`
	tail := `"}]}`
	fill := strings.Repeat(`The quick brown fox jumps over the lazy dog.\n`, size/46+1)
	return []byte(head + fill[:max(0, (size-len(head)-len(tail))/46*46)] + tail)
}

const chatAnswer = `{"id":"chatcmpl-B9MBs8CjcvOU2jLn4n570S5qMJKcT","object":"chat.completion","created":1741569952,"model":"gpt-4.1-2025-04-14",` +
	`"choices":[{"index":0,"message":{"role":"assistant","content":"` + answerText + `","refusal":null,"annotations":[]},"logprobs":null,"finish_reason":"stop"}],` +
	`"usage":{"prompt_tokens":19,"completion_tokens":10,"total_tokens":29,"prompt_tokens_details":{"cached_tokens":0,"audio_tokens":0},` +
	`"completion_tokens_details":{"reasoning_tokens":0,"audio_tokens":0,"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}},` +
	`"service_tier":"default","system_fingerprint":"fp_44709d6fcb"}`

const answerText = `A gateway stands between the browser and the provider. It keeps the key, checks who calls, and says no by default.\n\n` +
	`It also counts what is used, so that neither abuse nor a bug can spike the bill; and it writes every answer anew.`

const (
	chatChunk = `{"id":"chatcmpl-B9MBs8CjcvOU2jLn4n570S5qMJKcT","object":"chat.completion.chunk","created":1741569952,"model":"gpt-4.1-2025-04-14",` +
		`"service_tier":"default","system_fingerprint":"fp_44709d6fcb","choices":[{"index":0,"delta":{"content":" Hello"},"logprobs":null,"finish_reason":null}],"usage":null,"obfuscation":"ab3"}`
	responsesDelta = `{"type":"response.output_text.delta","sequence_number":12,"item_id":"msg_67c9fdcecf488190bdd9a0409de3a1ec07b8b0ad4e5eb654",` +
		`"output_index":0,"content_index":0,"delta":" Hello","logprobs":[],"obfuscation":"k3Jd9"}`
)

func request(b testing.TB, path string, body []byte) *openai.Request {
	b.Helper()
	r, err := openai.ParseCall(openai.Find(path)[0], openai.Sent{Path: path, Body: body}, &openai.Policy{})
	if err != nil {
		b.Fatal(err)
	}
	return r
}

func BenchmarkRequest(b *testing.B) {
	row := openai.Find("/chat/completions")[0]
	oblige := []claviger.Obligation{{Kind: claviger.ObligeMaxOutput, Limit: 1000}, {Kind: claviger.ObligeMaxInput, Limit: 1 << 20}}
	for name, size := range map[string]int{"1KB": 1 << 10, "100KB": 100 << 10} {
		b.Run(name, func(b *testing.B) {
			body, p := chatBody(size), &openai.Policy{}
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				r, err := openai.ParseCall(row, openai.Sent{Path: row.Path, Body: body}, p)
				if err != nil {
					b.Fatal(err)
				}
				if _, err := r.Write(oblige, "u_3f0a9c"); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkAnswer(b *testing.B) {
	r := request(b, "/chat/completions", chatBody(1<<10))
	b.SetBytes(int64(len(chatAnswer)))
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := r.Answer([]byte(chatAnswer)); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkEvent(b *testing.B) {
	for _, x := range []struct{ name, path, body, data string }{
		{"chat", "/chat/completions", `{"model":"m","stream":true,"messages":[{"role":"user","content":"hi"}]}`, chatChunk},
		{"responses", "/responses", `{"model":"m","stream":true,"input":"hi"}`, responsesDelta},
	} {
		b.Run(x.name, func(b *testing.B) {
			e := request(b, x.path, []byte(x.body)).Events()
			f := openai.Frame{Data: []byte(x.data)}
			buf := make([]byte, 0, 1024)
			b.SetBytes(int64(len(x.data)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := e.Append(buf, f); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkFrameReader(b *testing.B) {
	const n = 200
	stream := bytes.Repeat([]byte("data: "+chatChunk+"\n\n"), n)
	b.SetBytes(int64(len(stream)))
	b.ReportAllocs()
	for b.Loop() {
		f := openai.NewFrameReader(bytes.NewReader(stream), 1<<20)
		got := 0
		for {
			if _, err := f.Next(); err != nil {
				if !errors.Is(err, io.EOF) {
					b.Fatal(err)
				}
				break
			}
			got++
		}
		if got != n {
			b.Fatalf("%d events", got)
		}
	}
}
