package openaitest_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-json-experiment/json"

	"claviger.dev/claviger/openaitest"
)

func TestCalls(t *testing.T) {
	srv := newServer(t, openaitest.Options{})
	req := request(t, srv, "/responses?a=1&b=2", respond("hello there"))
	req.Header.Set("X-Mine", "yes")
	before := time.Now()
	_, body := send(t, req)
	send(t, request(t, srv, "/fine_tuning/jobs", nil))
	wait(t, srv, openaitest.Ended(2))
	calls := srv.Calls()
	c := calls[0]
	if c.Method != http.MethodPost || c.Path != "/v1/responses" || c.RawQuery != "a=1&b=2" || c.Header.Get("X-Mine") != "yes" || c.Status != 200 ||
		!strings.Contains(string(c.Body), "hello there") || c.Bytes != int64(len(body)) || c.Canceled || c.Started.Before(before) || c.Ended.Before(c.Started) ||
		"Bearer "+c.Key != req.Header.Get("Authorization") || c.Usage.Output == 0 {
		t.Errorf("%+v", c)
	}
	if calls[1].Status != 404 || srv.Count("/v1/responses") != 1 || srv.Count("") != 2 || len(calls.Path("/v1/fine_tuning/jobs")) != 1 || calls.Canceled() != 0 {
		t.Errorf("%+v", calls[1])
	}
	srv.Reset()
	if len(srv.Calls()) != 0 || srv.Count("") != 0 || srv.Units().Total != (openaitest.Tokens{}) {
		t.Error("Reset leaves something")
	}
}

func TestKeepCalls(t *testing.T) {
	srv := newServer(t, openaitest.Options{KeepCalls: 3})
	for range 20 {
		call(t, srv, "/models", nil, 200)
	}
	if n := len(srv.Calls()); n < 3 || n > 6 || srv.Count("/v1/models") != 20 {
		t.Errorf("%d calls kept of %d", n, srv.Count(""))
	}
}

// TestUnits compares the charged sums with what the answers said, from several
// callers at once and with streams that break off.
func TestUnits(t *testing.T) {
	keys := []string{"sk-" + strings.Repeat("a", 20), "sk-" + strings.Repeat("b", 20)}
	srv := newServer(t, openaitest.Options{Keys: keys})
	client := fresh(t)
	var mu sync.Mutex
	said := map[string]openaitest.Tokens{}
	one := func(key, path string, body object) error {
		req := request(t, srv, path, body)
		req.Header.Set("Authorization", "Bearer "+key)
		resp, err := client.Do(req)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		if err != nil {
			return err
		}
		in, out, err := usageOf(b)
		mu.Lock()
		defer mu.Unlock()
		s := said[key]
		s.Input, s.Output = s.Input+in, s.Output+out
		said[key] = s
		return err
	}
	var wg sync.WaitGroup
	for i := range 24 {
		wg.Go(func() {
			key, streamed := keys[i%2], i%3 == 0
			path, body := "/responses", respond("hello there", "stream", streamed)
			if i%4 < 2 {
				path, body = "/chat/completions", chat("hello there", "stream", streamed)
				if streamed {
					body["stream_options"] = object{"include_usage": true}
				}
			}
			if err := one(key, path, body); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	wait(t, srv, openaitest.Ended(24))
	u := srv.Units()
	var sum openaitest.Tokens
	for key, s := range said {
		if got := u.ByKey[key]; got.Input != s.Input || got.Output != s.Output || s.Output == 0 {
			t.Errorf("charged %+v, said %+v", got, s)
		}
		sum.Input, sum.Output = sum.Input+s.Input, sum.Output+s.Output
	}
	if u.Total.Input != sum.Input || u.Total.Output != sum.Output {
		t.Errorf("in all: charged %+v, said %+v", u.Total, sum)
	}
}

// usageOf finds the usage in an answer, or in the last event that has one.
func usageOf(b []byte) (in, out int64, err error) {
	if i := bytes.LastIndex(b, []byte(`"usage":{`)); i >= 0 {
		b = b[i+len(`"usage":`):]
	}
	var u struct {
		In1  int64 `json:"input_tokens"`
		In2  int64 `json:"prompt_tokens"`
		Out1 int64 `json:"output_tokens"`
		Out2 int64 `json:"completion_tokens"`
	}
	err = json.UnmarshalRead(bytes.NewReader(object1(b)), &u)
	return u.In1 + u.In2, u.Out1 + u.Out2, err
}

// object1 is the first whole object of a text that begins with it.
func object1(b []byte) []byte {
	depth := 0
	for i, c := range b {
		switch c {
		case '{':
			depth++
		case '}':
			if depth--; depth == 0 {
				return b[:i+1]
			}
		}
	}
	return b
}

// TestCanceledMidStream has the client leave between two deltas: it is noticed at
// once, and what was written is charged.
func TestCanceledMidStream(t *testing.T) {
	leakFree(t)
	srv := newServer(t, openaitest.Options{Delta: time.Millisecond})
	ctx, leave := context.WithCancel(t.Context())
	resp, err := fresh(t).Do(request(t, srv, "/chat/completions", chat("write 100000 words", "stream", true)).WithContext(ctx))
	if err != nil {
		t.Fatal(err)
	}
	wait(t, srv, func(c openaitest.Calls) bool { return c[0].Events >= 10 })
	leave()
	_ = resp.Body.Close()
	wait(t, srv, openaitest.Canceled(1))
	c := srv.Calls()[0]
	if c.Usage.Output < 9 || c.Usage.Output != int64(c.Events-1) || c.Usage.Input == 0 || srv.Units().Total != c.Usage {
		t.Errorf("%d events, %+v charged", c.Events, c.Usage)
	}
}

// TestLeavingAfterTheEndIsNotCancelling closes connections as soon as the last
// event is there.
func TestLeavingAfterTheEndIsNotCancelling(t *testing.T) {
	srv := newServer(t, openaitest.Options{})
	for range 50 {
		ctx, leave := context.WithCancel(t.Context())
		resp, err := fresh(t).Do(request(t, srv, "/chat/completions", chat("write 3 words", "stream", true)).WithContext(ctx))
		if err != nil {
			t.Fatal(err)
		}
		var all []byte
		buf := make([]byte, 512)
		for !bytes.Contains(all, []byte("[DONE]")) {
			n, err := resp.Body.Read(buf)
			all = append(all, buf[:n]...)
			if err != nil {
				break
			}
		}
		leave()
		_ = resp.Body.Close()
	}
	wait(t, srv, openaitest.Ended(50))
	if n := srv.Calls().Canceled(); n != 0 {
		t.Errorf("%d of 50 whole answers are recorded as cancelled", n)
	}
}

func TestWaitGivesUp(t *testing.T) {
	srv := newServer(t, openaitest.Options{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := srv.Wait(ctx, openaitest.Ended(1)); err == nil || !strings.Contains(err.Error(), "0 calls") {
		t.Errorf("%v", err)
	}
}

// TestDelta measures pauses on a clock of its own.
func TestDelta(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := openaitest.New(openaitest.Options{Delta: time.Second, Latency: 7 * time.Second})
		took := func(header string) time.Duration {
			body, err := json.Marshal(chat("write 10 words", "stream", true))
			if err != nil {
				t.Fatal(err)
			}
			req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/v1/chat/completions", bytes.NewReader(body))
			req.Header.Set("Authorization", "Bearer "+sim.Key())
			req.Header.Set("Content-Type", "application/json")
			if header != "" {
				req.Header.Set("X-Openaitest-Delta", header)
			}
			start := time.Now()
			sim.ServeHTTP(httptest.NewRecorder(), req)
			return time.Since(start)
		}
		if d := took(""); d != 17*time.Second {
			t.Errorf("by option: %v", d)
		}
		if d := took("3s"); d != 37*time.Second {
			t.Errorf("by header: %v", d)
		}
		sim.SetDelta(0)
		if d := took(""); d != 7*time.Second {
			t.Errorf("without: %v", d)
		}
		sim.Inject(mustParse(t, "slow delay=1m delta=2s"))
		if d := took(""); d != 87*time.Second {
			t.Errorf("by fault: %v", d)
		}
	})
}

func TestControl(t *testing.T) {
	srv := newServer(t, openaitest.Options{})
	control := httptest.NewServer(srv.Control())
	t.Cleanup(control.Close)
	do := func(method, path, ctype, body string) (int, object) {
		req, err := http.NewRequestWithContext(t.Context(), method, control.URL+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", ctype)
		resp, b := send(t, req)
		if len(b) == 0 || b[0] != '{' {
			return resp.StatusCode, nil
		}
		return resp.StatusCode, decoded(t, b)
	}
	if code, _ := do("POST", "/faults", "text/plain", "429 times=1\n\n503 times=1 path=/v1/models\n"); code != 204 {
		t.Errorf("inject: %d", code)
	}
	if code, o := do("GET", "/faults", "", ""); code != 200 || len(o["faults"].([]any)) != 2 || at(t, o, "faults", 0) != "status status=429 times=1" {
		t.Errorf("list: %d %v", code, o)
	}
	call(t, srv, "/responses", respond("x"), 429)
	call(t, srv, "/models", nil, 503)
	if code, _ := do("POST", "/faults", "application/json", `{"faults":["500"]}`); code != 204 {
		t.Errorf("inject JSON: %d", code)
	}
	call(t, srv, "/responses", respond("x"), 500)
	if code, _ := do("DELETE", "/faults", "", ""); code != 204 {
		t.Errorf("clear: %d", code)
	}
	call(t, srv, "/responses", respond("x"), 200)
	for _, bad := range []string{"", "earthquake", "429 3"} {
		if code, _ := do("POST", "/faults", "text/plain", bad); code != 400 {
			t.Errorf("%q: %d", bad, code)
		}
	}
	if code, o := do("GET", "/calls?path=/v1/responses&ended=3", "", ""); code != 200 || o["total"] != 3.0 || !strings.Contains(text(at(t, o, "calls", 0, "body")), `"input":"x"`) ||
		at(t, o, "calls", 2, "status") != 200.0 || at(t, o, "calls", 0, "fault") != "status" {
		t.Errorf("calls: %d %v", code, o)
	}
	if code, _ := do("GET", "/calls?canceled=1&timeout=1ms", "", ""); code != 504 {
		t.Errorf("calls that do not come: %d", code)
	}
	if code, _ := do("GET", "/calls?ended=x", "", ""); code != 400 {
		t.Errorf("a bad number: %d", code)
	}
	if _, o := do("GET", "/units", "", ""); at(t, o, "total", "output").(float64) == 0 || len(o["by_key"].(object)) != 1 {
		t.Errorf("units: %v", o)
	}
	if code, _ := do("DELETE", "/calls", "", ""); code != 204 || srv.Count("") != 0 {
		t.Errorf("reset: %d", code)
	}
	if code, _ := do("PUT", "/delta", "", "1ms"); code != 204 {
		t.Errorf("delta: %d", code)
	}
	if code, _ := do("PUT", "/delta", "", "fast"); code != 400 {
		t.Errorf("bad delta: %d", code)
	}
}

func BenchmarkPlain(b *testing.B) {
	for name, body := range map[string]object{"responses": respond("How do bees find flowers?", "store", false), "chat/completions": chat("How do bees find flowers?")} {
		b.Run(name, func(b *testing.B) {
			sim := openaitest.New(openaitest.Options{})
			raw, err := json.Marshal(body)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				req := httptest.NewRequestWithContext(b.Context(), http.MethodPost, "/v1/"+name, bytes.NewReader(raw))
				req.Header.Set("Authorization", "Bearer sk-any")
				req.Header.Set("Content-Type", "application/json")
				w := httptest.NewRecorder()
				sim.ServeHTTP(w, req)
				if w.Code != 200 {
					b.Fatal(w.Body)
				}
			}
		})
	}
}

func BenchmarkServed(b *testing.B) {
	srv := newServer(b, openaitest.Options{})
	raw, err := json.Marshal(respond("How do bees find flowers?", "store", false))
	if err != nil {
		b.Fatal(err)
	}
	b.RunParallel(func(pb *testing.PB) {
		client := fresh(b)
		for pb.Next() {
			req, _ := http.NewRequestWithContext(b.Context(), http.MethodPost, srv.URL+"/responses", bytes.NewReader(raw))
			req.Header.Set("Authorization", "Bearer sk-any")
			req.Header.Set("Content-Type", "application/json")
			resp, err := client.Do(req)
			if err != nil {
				b.Error(err)
				return
			}
			_, _ = io.Copy(io.Discard, resp.Body)
			_ = resp.Body.Close()
		}
	})
}
