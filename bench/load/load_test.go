package load

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"claviger.dev/claviger/bench/reverse"
	"claviger.dev/claviger/bench/upstream"
)

// far is the far side, and a bare proxy before it.
type far struct {
	addr, proxy string
	witness     *Witness
}

func start(t *testing.T) far {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := upstream.New()
	go func() { _ = s.Serve(ln) }()
	control := httptest.NewServer(s.Control())
	target := &url.URL{Scheme: "http", Host: ln.Addr().String()}
	proxy := httptest.NewServer(reverse.New(target, true))
	w := NewWitness(control.Listener.Addr().String())
	t.Cleanup(func() {
		w.Close()
		_ = ln.Close()
		s.Close()
		proxy.Close()
		control.Close()
	})
	return far{addr: ln.Addr().String(), proxy: proxy.Listener.Addr().String(), witness: w}
}

func request(addr string, a upstream.Ask) []byte {
	return Request(addr, string(a.Endpoint), "ticket", a.Body())
}

func TestClosedLoop(t *testing.T) {
	f := start(t)
	for _, addr := range []string{f.addr, f.proxy} {
		for _, m := range []upstream.Mode{upstream.Answer, upstream.Burst, upstream.Flush, upstream.Paced} {
			want := Expect{Bytes: 500}
			if m != upstream.Answer {
				want = Expect{Events: upstream.Events}
			}
			c := Closed{
				Addr: addr, Request: request(addr, upstream.Ask{Endpoint: upstream.Responses, Mode: m}), Want: want,
				Conns: 4, For: time.Minute, Count: 20,
			}
			got, err := c.Run(t.Context(), &Dialer{})
			if err != nil || got.Requests != 20 || got.Failed != 0 || got.Short != 0 {
				t.Errorf("%s: %+v %v", m, got, err)
			}
			if got.Events != int64(20*want.Events) {
				t.Errorf("%s: %d events", m, got.Events)
			}
		}
	}
}

// The three ways in which a stream can be short, one in ten of each; all else is right.
func TestFindsPlantedShortStreams(t *testing.T) {
	const events = 20
	var n atomic.Int64
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "text/event-stream")
		i := n.Add(1) % 10
		send := events
		if i == 1 {
			send-- // one event is lost, and the end is there
		}
		for range send {
			_, _ = io.WriteString(w, "data: {}\n\n")
		}
		switch i {
		case 2: // ends well as HTTP goes, and not as the stream goes
		case 3: // is cut off
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		default:
			_, _ = io.WriteString(w, "data: [DONE]\n\n")
		}
	}))
	defer s.Close()
	addr := s.Listener.Addr().String()
	c := Closed{Addr: addr, Request: Request(addr, "/", "", nil), Want: Expect{Events: events}, Conns: 3, For: time.Minute, Count: 100}
	got, err := c.Run(t.Context(), &Dialer{})
	if err != nil || got.Requests != 70 || got.Failed != 30 || got.Short != 30 || got.FirstError == nil {
		t.Errorf("%+v %v", got, err)
	}
}

// Right answers are not the only ones that a loop must tell apart.
func TestWrongAnswers(t *testing.T) {
	for _, c := range []struct {
		name   string
		answer string
		want   Expect
		right  bool
	}{
		{"right", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", Expect{Bytes: 5}, true},
		{"right, until the end of the connection", "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello", Expect{Bytes: 5}, true},
		{"small", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", Expect{Bytes: 6}, false},
		{"cut", "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhello", Expect{Bytes: 5}, false},
		{"refused", "HTTP/1.1 429 Slow\r\nContent-Length: 4\r\n\r\nslow", Expect{}, false},
		{"a stream, not asked for", "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: 10\r\n\r\ndata: {}\n\n", Expect{}, false},
		{"no stream", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\ndata: {}\n\n", Expect{Events: 1}, false},
		{"too many events", "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n21\r\ndata: {}\n\ndata: {}\n\ndata:[DONE]\n\n\r\n0\r\n\r\n", Expect{Events: 1}, false},
		{"chunks without an end", "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n17\r\ndata: {}\n\ndata:[DONE]\n\n\r\n", Expect{Events: 1}, false},
		{"chunks", "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n17\r\ndata: {}\n\ndata:[DONE]\n\n\r\n0\r\n\r\n", Expect{Events: 1}, true},
		{"no HTTP", "SSH-2.0-x\r\n\r\n", Expect{}, false},
		{"no length", "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", Expect{}, false},
		{"nothing", "", Expect{}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer ln.Close()
			go func() {
				conn, err := ln.Accept()
				if err != nil {
					return
				}
				defer conn.Close()
				_, _ = conn.Read(make([]byte, 1<<10))
				_, _ = io.WriteString(conn, c.answer)
			}()
			conn, err := (&Dialer{}).Dial(t.Context(), ln.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			a, err := conn.Do([]byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n"))
			if err == nil {
				err = a.Check(c.want)
			}
			if (err == nil) != c.right {
				t.Errorf("%v, %+v", err, a)
			}
		})
	}
}

// A target that only fails ends the loop, whatever time it was given.
func TestClosedLoopGivesUp(t *testing.T) {
	s := httptest.NewServer(http.NotFoundHandler())
	defer s.Close()
	addr := s.Listener.Addr().String()
	got, err := Closed{Addr: addr, Request: Request(addr, "/", "", nil), Conns: 2, For: time.Hour}.Run(t.Context(), &Dialer{})
	if err != nil || got.Requests != 0 || got.Failed != 2*maxFailures || !errors.Is(got.FirstError, errWrong) {
		t.Errorf("%+v %v", got, err)
	}
}

func TestPercentile(t *testing.T) {
	var hundred []time.Duration
	for i := range 100 {
		hundred = append(hundred, time.Duration(i+1))
	}
	for _, c := range []struct {
		in   []time.Duration
		q    float64
		want time.Duration
	}{
		{nil, 0.5, 0},
		{hundred[:1], 0.5, 1},
		{hundred[:1], 0.99, 1},
		{hundred[:2], 0.5, 1},
		{hundred[:3], 0.5, 2},
		{hundred, 0.5, 50},
		{hundred, 0.99, 99},
		{hundred, 0.991, 100},
		{hundred, 1, 100},
	} {
		if got := (Latencies{Sorted: c.in}).Percentile(c.q); got != c.want {
			t.Errorf("%d values, %g: %d, want %d", len(c.in), c.q, got, c.want)
		}
	}
}

// One slow answer on the only connection delays those behind it, and their
// latency says so: this is what a loop that waits would leave out.
func TestOpenLoopCountsTheWait(t *testing.T) {
	const stall = 300 * time.Millisecond
	var n atomic.Int64
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if n.Add(1) == 1 {
			time.Sleep(stall)
		}
		_, _ = io.WriteString(w, "hello")
	}))
	defer s.Close()
	addr := s.Listener.Addr().String()
	p := Paced{Addr: addr, Request: Request(addr, "/", "", nil), Rate: 200, For: 100 * time.Millisecond, Conns: 1}
	got, err := p.Run(t.Context(), &Dialer{})
	if err != nil || got.Failed != 0 || len(got.Sorted) != 20 {
		t.Fatalf("%+v %v", got, err)
	}
	// The last was due 95 ms after the first, and could not be sent before the first was answered.
	if least := got.Sorted[0]; least < stall-100*time.Millisecond {
		t.Errorf("the shortest latency is %s", least)
	}
}

func TestOpenLoopCountsFailures(t *testing.T) {
	s := httptest.NewServer(http.NotFoundHandler())
	defer s.Close()
	addr := s.Listener.Addr().String()
	p := Paced{Addr: addr, Request: Request(addr, "/", "", nil), Rate: 1000, For: 20 * time.Millisecond, Conns: 2}
	got, err := p.Run(t.Context(), &Dialer{})
	if err != nil || got.Failed != 20 || len(got.Sorted) != 0 || got.FirstError == nil {
		t.Errorf("%+v %v", got, err)
	}
}

var cancelCases = []Cancel{
	{ID: "before", Events: 0},
	{ID: "mid", Events: 20},
	{ID: "silent", Events: 1, Still: 10 * time.Millisecond},
}

var modes = map[string]upstream.Mode{"before": upstream.Hang, "mid": upstream.Paced, "silent": upstream.Silent}

func TestCancelThroughTheBareProxy(t *testing.T) {
	f := start(t)
	for _, addr := range []string{f.addr, f.proxy} {
		for _, c := range cancelCases {
			ask := upstream.Ask{Endpoint: upstream.Chat, Mode: modes[c.ID], ID: c.ID + "-" + addr[len("127.0.0.1:"):]}
			c.Addr, c.ID, c.Request = addr, ask.ID, request(addr, ask)
			took, err := c.Run(t.Context(), &Dialer{}, f.witness, 10*time.Second)
			if err != nil || took <= 0 {
				t.Errorf("%s: %s %v", c.ID, took, err)
			}
		}
	}
}

// A proxy that goes on when its caller has left, as some do.
func TestCancelThatIsNotHandedOn(t *testing.T) {
	f := start(t)
	release := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		resp, err := http.Post("http://"+f.addr+r.URL.Path, "application/json", r.Body)
		if err != nil {
			t.Error(err)
			return
		}
		defer resp.Body.Close()
		w.Header().Set("Content-Type", "text/event-stream")
		b := make([]byte, 1<<10)
		n, _ := resp.Body.Read(b)
		_, _ = w.Write(b[:n])
		_ = http.NewResponseController(w).Flush()
		<-release
	}))
	defer s.Close()
	defer close(release)
	addr := s.Listener.Addr().String()
	ask := upstream.Ask{Endpoint: upstream.Chat, Mode: upstream.Silent, ID: "kept"}
	c := Cancel{Addr: addr, Request: request(addr, ask), ID: ask.ID, Events: 1}
	if _, err := c.Run(t.Context(), &Dialer{}, f.witness, 100*time.Millisecond); !errors.Is(err, ErrNotCancelled) {
		t.Errorf("%v", err)
	}
}

func TestHold(t *testing.T) {
	f := start(t)
	ask := upstream.Ask{Endpoint: upstream.Chat, Mode: upstream.Silent, ID: "held"}
	h, err := Hold(t.Context(), &Dialer{}, f.proxy, request(f.proxy, ask), 120)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.witness.ask(t.Context(), "left", "held", time.Millisecond); !errors.Is(err, errUnseen) {
		t.Errorf("held streams are gone: %v", err)
	}
	h.Close()
	if _, err := f.witness.ask(t.Context(), "left", "held", 10*time.Second); err != nil {
		t.Errorf("closed streams are still there: %v", err)
	}
	refused := request(f.proxy, upstream.Ask{Endpoint: upstream.Chat, Mode: upstream.Answer})
	if _, err := Hold(t.Context(), &Dialer{}, f.proxy, refused, 3); !errors.Is(err, errWrong) {
		t.Errorf("an answer that is no stream: %v", err)
	}
}

func TestOversize(t *testing.T) {
	f := start(t)
	for _, declared := range []bool{true, false} {
		o := Oversize{Addr: f.proxy, Path: string(upstream.Chat), Bearer: "ticket", Size: 20 << 20, Declared: declared}
		status, sent, err := o.Run(t.Context(), &Dialer{})
		if err != nil || status != 413 || sent >= o.Size {
			t.Errorf("declared %t: %d %d %v", declared, status, sent, err)
		}
	}
	var got atomic.Int64
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		n, _ := io.Copy(io.Discard, r.Body)
		got.Add(n)
	}))
	defer s.Close()
	for i, declared := range []bool{true, false} {
		o := Oversize{Addr: s.Listener.Addr().String(), Path: "/", Size: 1<<20 + 7, Declared: declared}
		status, sent, err := o.Run(t.Context(), &Dialer{})
		if err != nil || status != 200 || sent != o.Size || got.Load() != int64(i+1)*o.Size {
			t.Errorf("declared %t: %d, sent %d, got %d, %v", declared, status, sent, got.Load(), err)
		}
	}
}

func TestRequest(t *testing.T) {
	r := string(Request("h:1", "/p", "t", []byte("body")))
	if !strings.HasPrefix(r, "POST /p HTTP/1.1\r\nHost: h:1\r\n") || !strings.HasSuffix(r, fmt.Sprintf("Content-Length: %d\r\n\r\nbody", 4)) {
		t.Error(r)
	}
}
