package upstream

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"

	"claviger.dev/claviger"
	"claviger.dev/claviger/internal/seal"
)

// Media types of answers.
const (
	typeJSON   = "application/json"
	typeStream = "text/event-stream"
)

// outgoing is a call on its way, the same for every attempt.
type outgoing struct {
	call      claviger.Call
	requestID string
	url       *url.URL
	userAgent []string
	keyHeader string
	held      bool // by another process
}

var errSent = errors.New("upstream: the body was sent already")

var errPath = errors.New("upstream: a path or query that no endpoint has")

func (c *Client) outgoing(a claviger.Authorized) (*outgoing, error) {
	call := a.Call()
	if !cleanPath(call.Path) || !cleanQuery(call.Query) {
		return nil, errPath
	}
	if call.Method == "" || strings.Trim(call.Method, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" {
		return nil, errors.New("upstream: a call without a method")
	}
	u := *c.base
	u.Path += call.Path
	u.RawQuery = call.Query
	return &outgoing{call: call, requestID: a.RequestID(), url: &u, userAgent: c.userAgent, keyHeader: c.keyHeader, held: c.held}, nil
}

// cleanPath reports whether p means the same to every reader: it starts with a
// slash, has no empty and no dot segment, and nothing in it needs escaping. The
// endpoint table gives no other path; this is the second lock on the door.
func cleanPath(p string) bool {
	rest, ok := strings.CutPrefix(p, "/")
	if !ok {
		return false
	}
	for ok {
		var segment string
		segment, rest, ok = strings.Cut(rest, "/")
		if segment == "" || strings.Trim(segment, ".") == "" {
			return false
		}
		for i := range len(segment) {
			if c := segment[i]; !alphanumeric(c) && c != '-' && c != '_' && c != '.' && c != ':' {
				return false
			}
		}
	}
	return true
}

func cleanQuery(q string) bool {
	for i := range len(q) {
		if c := q[i]; c <= ' ' || c > '~' || c == '#' {
			return false
		}
	}
	return true
}

func alphanumeric(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}

// request makes the request of one attempt. Its headers are all that there are:
// nothing of the caller's is copied. A key that another process holds goes by its
// id.
func (o *outgoing) request(ctx context.Context, id string, key claviger.Secret) (*http.Request, error) {
	accept := typeJSON
	switch {
	case o.call.Stream:
		accept = typeStream
	case len(o.call.Media) > 0:
		accept = "*/*"
	}
	h := http.Header{
		"Accept":     {accept},
		"User-Agent": o.userAgent,
	}
	if o.held {
		h[headerHeld] = []string{id}
	} else if err := setKey(h, o.keyHeader, key); err != nil {
		return nil, err
	}
	if o.requestID != "" {
		h["X-Client-Request-Id"] = []string{o.requestID}
	}
	req := (&http.Request{
		Method: o.call.Method, URL: o.url, Host: o.url.Host, Header: h,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	}).WithContext(ctx)
	b := o.call.Body
	if b == nil || b.Len() == 0 {
		return req, nil
	}
	if t := b.ContentType(); t != "" {
		h["Content-Type"] = []string{t}
	}
	req.ContentLength = b.Len()
	req.Body = open(b)
	req.GetBody = func() (io.ReadCloser, error) {
		if o.call.Body == nil {
			return nil, errSent
		}
		return open(o.call.Body), nil
	}
	return req, nil
}

// setKey puts the key into its header.
func setKey(h http.Header, way string, key claviger.Secret) error {
	k := key.Reveal(seal.ForReveal())
	if !fitsHeader(k) {
		return errors.New("upstream: the key is empty or holds characters that a header cannot carry")
	}
	if way == KeyAPIKey {
		h["Api-Key"] = []string{string(k)}
	} else {
		h["Authorization"] = []string{"Bearer " + string(k)}
	}
	return nil
}

// sent lets go of the body once the answer has begun: it is not sent again, and
// the answer may take minutes.
func (o *outgoing) sent() { o.call.Body = nil }

// sending is a body on its way. The transport closes it when it was sent, but
// keeps it with the request until the answer has ended.
type sending struct{ from atomic.Pointer[io.ReadCloser] }

func open(b claviger.BodySource) *sending {
	s, r := &sending{}, b.Open()
	s.from.Store(&r)
	return s
}

// Read implements io.Reader.
func (s *sending) Read(p []byte) (int, error) {
	r := s.from.Load()
	if r == nil {
		return 0, errSent
	}
	return (*r).Read(p)
}

// Close implements io.Closer. It may be called while a Read is under way.
func (s *sending) Close() error {
	r := s.from.Swap(nil)
	if r == nil {
		return nil
	}
	return (*r).Close()
}

// fitsHeader reports whether b is visible ASCII, as RFC 6750 asks of a bearer
// token.
func fitsHeader(b []byte) bool {
	for _, c := range b {
		if c <= ' ' || c > '~' {
			return false
		}
	}
	return len(b) > 0
}
