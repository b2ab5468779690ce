// Package reverse is the plainest proxy that Go offers: httputil.ReverseProxy
// with the request's body read first and every write flushed. It is what the
// gateway is measured against: no buffer pool, no checks, no counting. Only the
// number of idle connections to the upstream is raised, since with the default
// of two a measurement would be one of dialling.
package reverse

import (
	"bytes"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httputil"
	"net/url"
)

// MaxBody is how large a request's body may be, in bytes.
const MaxBody = 1 << 20

// New makes a proxy to target. With buffered false the body is streamed, which
// cuts some streams of a fast upstream short (the server closes the inbound body
// while the transport still reads it): only to see that the harness notices.
func New(target *url.URL, buffered bool) http.Handler {
	p := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) },
		Transport: &http.Transport{
			MaxIdleConns:        4096,
			MaxIdleConnsPerHost: 4096,
			DisableCompression:  true,
		},
		FlushInterval: -1,
		ErrorLog:      log.New(io.Discard, "", 0),
	}
	if !buffered {
		return p
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ContentLength > MaxBody {
			http.Error(w, "body too large", http.StatusRequestEntityTooLarge)
			return
		}
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, MaxBody))
		if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
			http.Error(w, "body too large", http.StatusRequestEntityTooLarge)
			return
		}
		if err != nil {
			http.Error(w, "body could not be read", http.StatusBadRequest)
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		r.ContentLength = int64(len(body))
		r.TransferEncoding = nil
		p.ServeHTTP(w, r)
	})
}
