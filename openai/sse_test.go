package openai_test

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"claviger.dev/claviger"
	"claviger.dev/claviger/openai"
)

// sent is one event as a test says it.
type sent struct{ Event, Data string }

func readAll(f *openai.FrameReader) ([]sent, error) {
	var out []sent
	for {
		x, err := f.Next()
		if err != nil {
			return out, err
		}
		out = append(out, sent{string(x.Event), string(x.Data)})
	}
}

// TestFrameReader: the rules of the WHATWG's EventSource.
func TestFrameReader(t *testing.T) {
	for _, x := range []struct {
		name, in string
		want     []sent
		end      error
	}{
		{"nothing", "", nil, io.EOF},
		{"one", "data: a\n\n", []sent{{"", "a"}}, io.EOF},
		{"named", "event: x\ndata: a\n\n", []sent{{"x", "a"}}, io.EOF},
		{"name behind", "data: a\nevent: x\n\n", []sent{{"x", "a"}}, io.EOF},
		{"last name counts", "event: x\nevent: y\ndata: a\n\ndata: b\n\n", []sent{{"y", "a"}, {"", "b"}}, io.EOF},
		{"CR", "event: x\rdata: a\r\rdata: b\r\r", []sent{{"x", "a"}, {"", "b"}}, io.EOF},
		{"CRLF", "event: x\r\ndata: a\r\n\r\ndata: b\r\n\r\n", []sent{{"x", "a"}, {"", "b"}}, io.EOF},
		{"mixed", "data: a\r\n\ndata: b\n\rdata: c\r\n\r", []sent{{"", "a"}, {"", "b"}, {"", "c"}}, io.EOF},
		{"byte order mark", "\ufeffdata: a\n\n", []sent{{"", "a"}}, io.EOF},
		{"a second mark is a name", "\ufeff\ufeffdata: a\n\n", nil, io.EOF},
		{"only a mark", "\ufeff", nil, io.EOF},
		{"half a mark", "\xef\xbb", nil, io.ErrUnexpectedEOF},
		{"several lines", "data: a\ndata:b\ndata:  c\n\n", []sent{{"", "a\nb\n c"}}, io.EOF},
		{"several lines around a name", "data: a\nevent: xyz\ndata: bbbbbbbbbbbbbbbbbbbbbbbb\ndata\ndata: c\n\n", []sent{{"xyz", "a\nbbbbbbbbbbbbbbbbbbbbbbbb\n\nc"}}, io.EOF},
		{"empty data", "data\n\ndata:\n\ndata: \n\ndata\ndata\n\n", []sent{{"", ""}, {"", ""}, {"", ""}, {"", "\n"}}, io.EOF},
		{"no data is no event", "event: x\n\ndata: a\n\n", []sent{{"", "a"}}, io.EOF},
		{"comments", ": hi\n\n:\ndata: a\n: between\ndata: b\n\n: end\n\n", []sent{{"", "a\nb"}}, io.EOF},
		{"other fields", "id: 1\nretry: 5\nfoo: bar\nfoo\ndata: a\n\n", []sent{{"", "a"}}, io.EOF},
		{"names have a case", "Data: a\nDATA: b\n\n", nil, io.EOF},
		{"a space before the name", " data: a\n\n", nil, io.EOF},
		{"colons in data", "data: {\"a\":1}\n\n", []sent{{"", `{"a":1}`}}, io.EOF},
		{"cut before the blank line", "data: a\n\ndata: b\n", []sent{{"", "a"}}, io.ErrUnexpectedEOF},
		{"cut in a line", "data: a\n\ndata: b", []sent{{"", "a"}}, io.ErrUnexpectedEOF},
		{"cut in a name", "data: a\n\nda", []sent{{"", "a"}}, io.ErrUnexpectedEOF},
		{"cut after a name", "event: x\n", nil, io.ErrUnexpectedEOF},
		{"comment at the end", ": bye\n", nil, io.EOF},
		{"NUL and bytes", "data: \x00\xff\n\n", []sent{{"", "\x00\xff"}}, io.EOF},
		{"100 KB line", "data: " + strings.Repeat("x", 100<<10) + "\n\ndata: a\n\n", []sent{{"", strings.Repeat("x", 100<<10)}, {"", "a"}}, io.EOF},
	} {
		t.Run(x.name, func(t *testing.T) {
			for how, r := range map[string]io.Reader{
				"whole": strings.NewReader(x.in), "bytewise": iotest.OneByteReader(strings.NewReader(x.in)),
				"halves": iotest.HalfReader(strings.NewReader(x.in)), "with the end": iotest.DataErrReader(strings.NewReader(x.in)),
			} {
				got, err := readAll(openai.NewFrameReader(r, 1<<20))
				if !errors.Is(err, x.end) {
					t.Errorf("%s: ended with %v, want %v", how, err, x.end)
				}
				if d := cmp.Diff(x.want, got); d != "" {
					t.Errorf("%s: %s", how, d)
				}
			}
		})
	}
}

func TestFrameReaderIsBounded(t *testing.T) {
	const limit = 1000
	for name, in := range map[string]string{
		"one line": "data: " + strings.Repeat("x", limit) + "\n\n", "many lines": strings.Repeat("data: x\n", limit/4) + "\n",
		"endless line": strings.Repeat("x", 1<<20), "endless comment": ":" + strings.Repeat("x", 1<<20), "endless fields": strings.Repeat("id: 1\n", 1<<18),
	} {
		r := &counting{r: iotest.HalfReader(strings.NewReader(in))}
		got, err := readAll(openai.NewFrameReader(r, limit))
		if e, ok := errors.AsType[*claviger.Error](err); !ok || e.Code != claviger.CodeUpstreamError || len(got) != 0 {
			t.Errorf("%s: %d events, %v", name, len(got), err)
		}
		if r.n > 16<<10 {
			t.Errorf("%s: %d bytes were read", name, r.n)
		}
	}
	// Many events and comments together may be larger.
	in := strings.Repeat(": comment\n\ndata: "+strings.Repeat("x", 900)+"\n\n", 100)
	if got, err := readAll(openai.NewFrameReader(strings.NewReader(in), limit)); len(got) != 100 || !errors.Is(err, io.EOF) {
		t.Errorf("%d events, %v", len(got), err)
	}
}

type counting struct {
	r io.Reader
	n int
}

func (c *counting) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += n
	return n, err
}

func TestFrameReaderErrors(t *testing.T) {
	broken := errors.New("connection reset")
	f := openai.NewFrameReader(io.MultiReader(strings.NewReader("data: a\n\ndata: b"), iotest.ErrReader(broken)), 1<<10)
	if got, err := readAll(f); len(got) != 1 || !errors.Is(err, broken) {
		t.Errorf("%v, %v", got, err)
	}
	if _, err := f.Next(); !errors.Is(err, broken) {
		t.Errorf("the second time: %v", err)
	}
	if _, err := openai.NewFrameReader(idle{}, 1<<10).Next(); !errors.Is(err, io.ErrNoProgress) {
		t.Errorf("a reader that gives nothing: %v", err)
	}
}

// idle is a reader that breaks the rules.
type idle struct{}

func (idle) Read([]byte) (int, error) { return 0, nil }

// TestBuffered: it promises that Next does not read, and a comment behind an
// event is no promise.
func TestBuffered(t *testing.T) {
	r := &counting{r: strings.NewReader("data: a\n\nevent: n\ndata: b\ndata: c\n\n: comment\n\ndata: d")}
	f := openai.NewFrameReader(r, 1<<10)
	if f.Buffered() {
		t.Fatal("an event before anything was read")
	}
	first, err := f.Next()
	if err != nil {
		t.Fatal(err)
	}
	read := r.n
	if !f.Buffered() || string(first.Data) != "a" {
		t.Fatalf("the second event is not there, or the first is lost: %q", first.Data)
	}
	second, err := f.Next()
	if err != nil || string(second.Data) != "b\nc" || string(second.Event) != "n" || r.n != read {
		t.Fatalf("%q, %v, %d bytes more", second, err, r.n-read)
	}
	if f.Buffered() {
		t.Error("half an event counts as one")
	}
	if string(second.Data) != "b\nc" {
		t.Errorf("the second event was lost: %q", second.Data)
	}
}

// reference reads events in the plainest way: all of it, line by line.
func reference(in []byte) []sent {
	in = bytes.TrimPrefix(in, []byte("\ufeff"))
	text := strings.ReplaceAll(strings.ReplaceAll(string(in), "\r\n", "\n"), "\r", "\n")
	lines := strings.Split(text, "\n")
	var out []sent
	var event string
	var data []string
	for _, line := range lines[:len(lines)-1] {
		if line == "" {
			if data != nil {
				out = append(out, sent{event, strings.Join(data, "\n")})
			}
			event, data = "", nil
			continue
		}
		name, value, _ := strings.Cut(line, ":")
		value = strings.TrimPrefix(value, " ")
		switch name {
		case "event":
			event = value
		case "data":
			data = append(data, value)
		}
	}
	return out
}

func FuzzFrameReader(f *testing.F) {
	for _, s := range []string{
		"data: a\n\n", "\ufeffevent: x\r\ndata: a\r\n\r\n", "data: a\nevent: y\ndata: b\n\n", ": c\n\ndata\rdata\r\r", "\xef\xbbdata: a\n\n", "event: x\n\ndata: [DONE]\n\n",
	} {
		f.Add([]byte(s), uint8(3))
	}
	f.Fuzz(func(t *testing.T, in []byte, size uint8) {
		want := reference(in)
		for _, r := range []io.Reader{bytes.NewReader(in), &chopped{in, int(size) + 1}} {
			fr := openai.NewFrameReader(r, 1<<20)
			var got []sent
			for {
				x, err := fr.Next()
				if err != nil {
					if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
						t.Fatal(err)
					}
					break
				}
				got = append(got, sent{string(x.Event), string(x.Data)})
				if size&1 == 0 {
					fr.Buffered()
				}
			}
			if d := cmp.Diff(want, got); d != "" {
				t.Fatalf("%q: %s", in, d)
			}
		}
	})
}

// chopped gives a few bytes at a time.
type chopped struct {
	b []byte
	n int
}

func (c *chopped) Read(p []byte) (int, error) {
	if len(c.b) == 0 {
		return 0, io.EOF
	}
	n := copy(p, c.b[:min(c.n, len(c.b))])
	c.b = c.b[n:]
	return n, nil
}
