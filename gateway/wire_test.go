package gateway_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// raw sends bytes as they are and reads the answers until the server closes or
// count of them came.
func (r *rig) raw(request string, count int) []answer {
	r.t.Helper()
	return rawTo(r.t, r.addr(), request, count)
}

func rawTo(t testing.TB, addr, request string, count int) []answer {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	must(t, err)
	defer func() { _ = conn.Close() }()
	must(t, conn.SetDeadline(time.Now().Add(time.Minute)))
	// The server may answer and close before it has read everything.
	go func() { _, _ = io.WriteString(conn, request) }()
	return readAnswers(bufio.NewReader(conn), request, count)
}

func readAnswers(br *bufio.Reader, request string, count int) []answer {
	method, _, _ := strings.Cut(request, " ")
	var out []answer
	for range count {
		resp, err := http.ReadResponse(br, &http.Request{Method: method})
		if err != nil {
			break
		}
		out = append(out, read(resp))
	}
	return out
}

// one is raw for exactly one answer.
func (r *rig) one(request string) answer {
	r.t.Helper()
	got := r.raw(request, 1)
	if len(got) != 1 {
		r.t.Fatalf("no answer to %.200q", request)
	}
	return got[0]
}

// request writes a request by hand. Lines stand between the host and the body.
func request(line, host string, body string, lines ...string) string {
	var b strings.Builder
	b.WriteString(line + "\r\nHost: " + host + "\r\n")
	for _, l := range lines {
		b.WriteString(l + "\r\n")
	}
	b.WriteString("\r\n" + body)
	return b.String()
}
