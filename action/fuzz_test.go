package action

import (
	"net/url"
	"strings"
	"testing"

	"claviger.dev/claviger"
)

// checkBound holds what every bound input must be: a body that parses, the
// server's instructions, and a refusal that shows nothing of the input.
func checkBound(t *testing.T, a *Action, b *Bound, err error) {
	t.Helper()
	if err != nil {
		e := refusalOf(t, err)
		if e.Code != claviger.CodeInvalidInput && e.Code != claviger.CodeInvalidJSON {
			t.Fatalf("got %v", e)
		}
		word, ok := strings.CutPrefix(e.Sentence(), "Invalid ")
		if !ok || e.Code == claviger.CodeInvalidInput && !plain(word) || e.Param != "" && !showable(e.Param) {
			t.Fatalf("the sentence %q or the field %q repeats the input", e.Sentence(), e.Param)
		}
		value(t, string(AppendError(nil, e)))
		return
	}
	body := sent(t, b)
	model, _ := body.Get("model")
	sys, _ := body.Get("instructions")
	if !model.Is(a.Model()) || sys.Str() != b.instructions {
		t.Fatal("the server's members changed")
	}
	if b.Call().MaxInput < int64(len(b.messages[0].text)) {
		t.Fatal("the bound on the input is too low")
	}
}

func FuzzBind(f *testing.F) {
	text, full, chat := generate(f), generate(f, withInput(f, rich)), generate(f, chatty)
	for _, s := range []string{
		``, `{}`, `{"prompt":"x"}`, `{"prompt":"x","y":1}`, `[]`, `{"text":"x","language":"de","words":3,"tags":["a"]}`,
		`{"messages":[{"role":"user","content":"x"}]}`, `{"id":"1","messages":[{"role":"user","parts":[{"type":"text","text":"x"}]}]}`,
		`{"text":"x","language":"en","until":"2024-02-30","mail":"a@[IPv6:::1]","code":"ABC"}`, `{"prompt":"\ud83d\ude00"}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, a := range []*Action{text, full, chat} {
			b, err := a.Bind(body)
			checkBound(t, a, b, err)
			b, err = a.BindUI(body)
			checkBound(t, a, b, err)
		}
	})
}

func FuzzBindForm(f *testing.F) {
	text, full := generate(f), generate(f, withInput(f, rich))
	for _, s := range []string{"prompt=x", "text=a&language=de&words=5&tags=a&tags=b", "formal=on&warmth=1e5&who=%7B%7D", "text=%ff", "a[]=1&%3Cb%3E=2"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, query string) {
		form, err := url.ParseQuery(query)
		if err != nil {
			return
		}
		for _, a := range []*Action{text, full} {
			b, err := a.BindForm(form)
			checkBound(t, a, b, err)
		}
	})
}

func FuzzStream(f *testing.F) {
	text, structured := generate(f), generate(f, withOutput(f, answerSchema))
	for _, s := range []string{
		strings.Join(append(opening, piece(`"a"`), last("completed", "completed", "null", "")), "\n"),
		piece(`"{\"mood\":\"good\",\"n\":1}"`) + "\n" + last("completed", "completed", "null", says(`"x"`)),
		`{"type":"error","code":"x"}` + "\n" + piece(`"a"`),
		last("incomplete", "incomplete", `{"reason":"content_filter"}`, declines),
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, events string) {
		for _, a := range []*Action{text, structured} {
			s := a.Stream()
			out := NewEncoder(false)
			var wire []byte
			for line := range strings.SplitSeq(events, "\n") {
				delta, err := s.Event([]byte(line))
				if err != nil && delta != "" {
					t.Fatal("text beside an error")
				}
				wire = out.AppendDelta(wire, delta)
			}
			res, err := s.Result()
			if err == nil {
				wire = out.AppendDone(wire, res)
			} else {
				wire = out.AppendError(wire, asRefusal(err))
			}
			if (err == nil) && !s.Done() {
				t.Fatal("a result without an end")
			}
			for frame := range strings.SplitSeq(strings.TrimSuffix(string(wire), "\n\n"), "\n\n") {
				_, data, ok := strings.Cut(frame, "\ndata: ")
				if !ok || strings.Contains(data, "\n") {
					t.Fatalf("a broken frame: %q", frame)
				}
				value(t, data)
			}
			if _, _, err := a.Answer([]byte(events)); err != nil {
				refusalOf(t, err)
			}
		}
	})
}

func BenchmarkBindWrite(b *testing.B) {
	a := generate(b)
	body := []byte(`{"prompt":"` + strings.Repeat("Tell me more. ", 73) + `"}`)
	o := []claviger.Obligation{{Kind: claviger.ObligeMaxOutput, Limit: 1000}}
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		bound, err := a.Bind(body)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := bound.Write(o, "user-hash", true); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkBindChat(b *testing.B) {
	a := generate(b, chatty)
	body := []byte(`{"messages":[` + strings.Repeat(`{"role":"user","content":"`+strings.Repeat("x", 200)+`"},{"role":"assistant","content":"ok"},`, 9) + `{"role":"user","content":"and?"}]}`)
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := a.Bind(body); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkStreamDelta(b *testing.B) {
	s := generate(b).Stream()
	event := []byte(piece(`" world"`))
	var out []byte
	b.ReportAllocs()
	for b.Loop() {
		delta, err := s.Event(event)
		if err != nil {
			b.Fatal(err)
		}
		out = AppendDelta(out[:0], delta)
	}
}

func BenchmarkAnswer(b *testing.B) {
	a := generate(b)
	body := []byte(response("completed", "null", says(`"`+strings.Repeat("Hello world. ", 80)+`"`)))
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := a.Answer(body); err != nil {
			b.Fatal(err)
		}
	}
}
