package upstream

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"
)

// serve runs an upstream and returns its address and that of its control endpoint.
func serve(t *testing.T) (addr, control string) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := New()
	served := make(chan error, 1)
	go func() { served <- s.Serve(ln) }()
	c := httptest.NewServer(s.Control())
	t.Cleanup(func() {
		_ = ln.Close()
		s.Close()
		c.Close()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return ln.Addr().String(), c.URL
}

// call sends a request by net/http: what a real client makes of the answer.
func call(t *testing.T, addr string, a Ask) (*http.Response, string) {
	t.Helper()
	resp, err := http.Post("http://"+addr+string(a.Endpoint), "application/json", strings.NewReader(string(a.Body())))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(b)
}

func TestAnswers(t *testing.T) {
	addr, _ := serve(t)
	for _, e := range []Endpoint{Chat, Responses} {
		for range 3 { // on one connection
			resp, body := call(t, addr, Ask{Endpoint: e, Mode: Answer})
			if resp.StatusCode != 200 || resp.Header.Get("Content-Type") != "application/json" {
				t.Fatalf("%s: %s %v", e, resp.Status, resp.Header)
			}
			var v struct {
				Usage struct {
					Total int `json:"total_tokens"`
				} `json:"usage"`
			}
			if err := json.Unmarshal([]byte(body), &v); err != nil || v.Usage.Total == 0 {
				t.Errorf("%s: no usage (%v) in %s", e, err, body)
			}
			if len(body) < 800 || len(body) > 1300 {
				t.Errorf("%s: %d bytes, about 1 KB was meant", e, len(body))
			}
		}
	}
}

// frames splits a stream into its events' data.
func frames(t *testing.T, body string) []string {
	t.Helper()
	var data []string
	for f := range strings.SplitSeq(strings.TrimSuffix(body, "\n\n"), "\n\n") {
		for line := range strings.SplitSeq(f, "\n") {
			if d, ok := strings.CutPrefix(line, "data: "); ok {
				data = append(data, d)
			}
		}
	}
	return data
}

func TestStreams(t *testing.T) {
	addr, _ := serve(t)
	for _, m := range []Mode{Burst, Flush, Paced} {
		_, body := call(t, addr, Ask{Endpoint: Chat, Mode: m})
		chat := frames(t, body)
		if len(chat) != Events+1 || chat[Events] != "[DONE]" {
			t.Errorf("chat, %s: %d frames, the last %s", m, len(chat), chat[len(chat)-1])
		}
		checkJSON(t, chat[:Events])
		_, body = call(t, addr, Ask{Endpoint: Responses, Mode: m})
		responses := frames(t, body)
		if len(responses) != Events || !strings.HasPrefix(responses[Events-1], `{"type":"response.completed","sequence_number":199,`) {
			t.Errorf("responses, %s: %d frames, the last %s", m, len(responses), responses[len(responses)-1])
		}
		checkJSON(t, responses)
	}
}

func checkJSON(t *testing.T, frames []string) {
	t.Helper()
	for _, f := range frames {
		if !json.Valid([]byte(f)) {
			t.Errorf("no JSON: %s", f)
		}
	}
}

// A gateway asks for the usage where its caller did not, and writes bodies anew.
func TestUsageChunk(t *testing.T) {
	addr, _ := serve(t)
	body := strings.Replace(string(Ask{Endpoint: Chat, Mode: Burst}.Body()), `"stream":true`,
		`"stream_options": {"include_usage": true}, "stream": true`, 1)
	resp, err := http.Post("http://"+addr+string(Chat), "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	f := frames(t, string(b))
	if len(f) != Events+2 || !strings.Contains(f[Events], `"choices":[],"usage":{"prompt_tokens":160`) {
		t.Errorf("%d frames, the last but one %s", len(f), f[len(f)-2])
	}
}

func TestRefuses(t *testing.T) {
	addr, _ := serve(t)
	for _, c := range []struct {
		path, body string
		want       int
	}{
		{"/v1/models", "{}", 404},
		{string(Chat), "{}", 400},
		{string(Chat), `{"x":"bench mode=burst id= end."}`, 400},
		{string(Chat), `{"x":"bench mode=other id= end.","stream":true}`, 400},
		{string(Chat), `{"x":"bench mode=answer id= end.","stream":true}`, 400},
	} {
		resp, err := http.Post("http://"+addr+c.path, "application/json", strings.NewReader(c.body))
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != c.want {
			t.Errorf("%s %s: %d, want %d", c.path, c.body, resp.StatusCode, c.want)
		}
	}
}

func TestChunkedRequests(t *testing.T) {
	addr, _ := serve(t)
	for range 2 {
		body := io.MultiReader(strings.NewReader(string(Ask{Endpoint: Chat, Mode: Answer, Pad: 1 << 20}.Body()))) // its length is hidden
		resp, err := http.Post("http://"+addr+string(Chat), "application/json", body)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		if resp.StatusCode != 200 {
			t.Error(resp.Status)
		}
	}
}

func ask(t *testing.T, url string) (int, string) {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

func TestSeesCallersLeave(t *testing.T) {
	addr, control := serve(t)
	for _, m := range []Mode{Hang, Silent, Paced} {
		id := "leave-" + string(m)
		ctx, cancel := context.WithCancel(t.Context())
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+addr+string(Chat),
			strings.NewReader(string(Ask{Endpoint: Chat, Mode: m, ID: id}.Body())))
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan error, 1)
		go func() {
			resp, err := http.DefaultClient.Do(req)
			if err == nil {
				defer resp.Body.Close()
				_, err = bufio.NewReader(resp.Body).ReadString(0)
			}
			done <- err
		}()
		if code, _ := ask(t, control+"/begun?wait=10s&id="+id); code != 200 {
			t.Fatalf("%s: begun %d", m, code)
		}
		if code, _ := ask(t, control+"/left?wait=1ms&id="+id); code != 404 {
			t.Errorf("%s: left too early: %d", m, code)
		}
		left := time.Now()
		cancel()
		code, text := ask(t, control+"/left?wait=10s&id="+id)
		at, err := strconv.ParseInt(text, 10, 64)
		if code != 200 || err != nil || time.Unix(0, at).Before(left) {
			t.Errorf("%s: left %d %q", m, code, text)
		}
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", m, err)
		}
	}
}

// A caller that read its stream to the end did not leave it.
func TestCompleteStreamIsNotLeft(t *testing.T) {
	addr, control := serve(t)
	for i, m := range []Mode{Paced, Burst} {
		id := "complete-" + strconv.Itoa(i)
		call(t, addr, Ask{Endpoint: Chat, Mode: m, ID: id})
		if code, _ := ask(t, control+"/begun?wait=10s&id="+id); code != 200 {
			t.Errorf("%s: begun %d", m, code)
		}
		if code, _ := ask(t, control+"/left?wait=50ms&id="+id); code != 404 {
			t.Errorf("%s: left %d", m, code)
		}
	}
	if code, _ := ask(t, control+"/left?id=x"); code != 400 {
		t.Errorf("without a wait: %d", code)
	}
}
