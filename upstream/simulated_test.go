package upstream

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"claviger.dev/claviger"
	"claviger.dev/claviger/internal/seal"
	"claviger.dev/claviger/openaitest"
)

// TestSimulatedFaults runs the faults of the simulated OpenAI. A stream that
// ends in good order without its closing event is for the reader of events to
// notice, and so is JSON that is none.
func TestSimulatedFaults(t *testing.T) {
	for _, tt := range []struct {
		fault         string
		plain, stream claviger.Code
	}{
		{"", "", ""},
		{"401", claviger.CodeUpstreamError, claviger.CodeUpstreamError},
		{"403", claviger.CodeUpstreamError, claviger.CodeUpstreamError},
		{"429 retry-after=3", claviger.CodeUpstreamBusy, claviger.CodeUpstreamBusy},
		{"429", claviger.CodeUpstreamBusy, claviger.CodeUpstreamBusy},
		{"500", claviger.CodeUpstreamError, claviger.CodeUpstreamError},
		{"502", claviger.CodeUpstreamError, claviger.CodeUpstreamError},
		{"503", claviger.CodeUpstreamError, claviger.CodeUpstreamError},
		{"400", claviger.CodeUpstreamInvalid, claviger.CodeUpstreamInvalid},
		{"404", claviger.CodeUpstreamInvalid, claviger.CodeUpstreamInvalid},
		{"redirect", claviger.CodeUpstreamError, claviger.CodeUpstreamError},
		{"html", claviger.CodeUpstreamError, claviger.CodeUpstreamError},
		{"empty", claviger.CodeUpstreamError, claviger.CodeUpstreamError},
		{"content-type", claviger.CodeUpstreamError, claviger.CodeUpstreamError},
		{"hang", claviger.CodeUpstreamTimeout, claviger.CodeUpstreamTimeout},
		{"hang-body", claviger.CodeUpstreamTimeout, claviger.CodeUpstreamTimeout},
		{"stall", claviger.CodeUpstreamTimeout, claviger.CodeUpstreamTimeout},
		{"cut", claviger.CodeUpstreamError, claviger.CodeUpstreamError},
		{"bad-chunk", claviger.CodeUpstreamError, claviger.CodeUpstreamError},
		{"gzip", "", ""},
		{"huge mib=3", claviger.CodeUpstreamError, ""},
	} {
		for _, stream := range []bool{false, true} {
			want := tt.plain
			if stream {
				want = tt.stream
			}
			t.Run(fmt.Sprintf("%s/stream=%v", tt.fault, stream), func(t *testing.T) {
				t.Parallel()
				simulated(t, tt.fault, stream, want)
			})
		}
	}
}

func simulated(t *testing.T, fault string, stream bool, want claviger.Code) {
	t.Helper()
	key := claviger.NewSecret([]byte("sk-proj-" + strings.Repeat("x", 40)))
	sim := openaitest.NewServer(t, openaitest.Options{Keys: []string{string(key.Reveal(seal.ForReveal()))}})
	if fault != "" {
		f, err := openaitest.ParseFault(fault)
		if err != nil {
			t.Fatal(err)
		}
		f.Times = 10
		sim.Inject(f)
	}
	p := newPool(1)
	p.keys[0], p.err = key, errors.New("no more")
	o := Options{BaseURL: sim.URL, Keys: p, MaxAnswer: 2 << 20}
	if want == claviger.CodeUpstreamTimeout { // a short limit would make a slow machine fail the others
		o.Headers, o.Idle = 300*time.Millisecond, 300*time.Millisecond
	}
	c, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	defer c.CloseIdle()
	content := `{"model":"gpt-4.1-mini","input":"hi"}`
	if stream {
		content = `{"model":"gpt-4.1-mini","input":"hi","stream":true}`
	}
	a := claviger.Authorize(seal.ForMint(), claviger.Call{
		Model: "gpt-4.1-mini", Stream: stream, Method: "POST", Path: "/responses", Body: body(content),
	}, hold{}, "r")
	resp, err := c.RoundTrip(t.Context(), a)
	if err == nil {
		_, err = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
	}
	if codeOf(err) != want {
		t.Errorf("%q, stream %v: %v, want %q", fault, stream, err, want)
	}
	if err != nil && strings.Contains(err.Error(), "xxxx") {
		t.Errorf("%q: the key is in %v", fault, err)
	}
	if sim.Count("") > 2 {
		t.Errorf("%q: %d requests", fault, sim.Count(""))
	}
	p.check(t)
}
