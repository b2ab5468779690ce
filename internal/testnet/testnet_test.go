package testnet

import (
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestScript(t *testing.T) {
	s := Serve(t, func(c *Conn) {
		for {
			r, ok := c.Request()
			if !ok {
				return
			}
			c.Answer("200 OK", "text/plain", r.Method+" "+r.Target+" "+r.Body)
		}
	})
	tr := &http.Transport{}
	defer tr.CloseIdleConnections()
	for range 3 {
		req, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL("/x"), strings.NewReader("y"))
		resp, err := tr.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if err != nil || string(b) != "POST /x y" {
			t.Errorf("%s %v", b, err)
		}
	}
	if s.Conns() != 1 || s.Requests() != 3 {
		t.Errorf("%d connections, %d requests", s.Conns(), s.Requests())
	}
}

func TestGoneAndReset(t *testing.T) {
	gone := make(chan bool, 2)
	s := Serve(t, func(c *Conn) {
		c.Send("hello")
		gone <- c.Gone()
	})
	c := Dial(t, s.Addr)
	if n := c.Drip(5, 2, time.Millisecond); n < 5 {
		t.Error(n)
	}
	_ = c.Close()
	if !<-gone {
		t.Error("not gone")
	}
	r := Serve(t, func(c *Conn) {
		_, _ = c.Read(make([]byte, 1))
		c.Reset()
	})
	c = Dial(t, r.Addr)
	c.Send(t, "x")
	if _, err := c.Read(make([]byte, 1)); err == nil || errors.Is(err, io.EOF) {
		t.Errorf("%v is no reset", err)
	}
}

func TestCloseEndsScripts(t *testing.T) {
	s := Serve(t, func(c *Conn) { c.Gone() })
	c := Dial(t, s.Addr)
	c.Send(t, "x")
	for s.Conns() == 0 {
		time.Sleep(time.Millisecond)
	}
	s.Close()
	s.Close()
	if n := c.Drip(1, 1, 0); n != 0 {
		t.Error(n)
	}
}

func TestCount(t *testing.T) {
	inner, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := Count(inner)
	defer func() { _ = l.Close() }()
	go func() { _, _ = net.Dial("tcp4", l.Addr().String()) }()
	c, err := l.Accept()
	if err != nil || l.Accepted() != 1 {
		t.Fatal(err, l.Accepted())
	}
	_ = c.Close()
}
