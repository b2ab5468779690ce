package upstream

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"

	"claviger.dev/claviger"
)

var (
	errTooLarge = errors.New("upstream: the answer is over the limit")
	errEmpty    = errors.New("upstream: the answer is empty")
)

// accept checks that an answer of status 200 is what was asked for, and wraps
// its body.
func (c *Client) accept(w *watch, resp *http.Response, out *outgoing) (*http.Response, failure) {
	limit, want := c.maxAnswer, typeJSON
	if out.call.Stream {
		limit, want = 0, typeStream
	}
	a := &answer{watch: w, source: w, limit: limit}
	length := resp.ContentLength
	var err error
	if len(out.call.Media) > 0 && !out.call.Stream {
		want, err = mediaOf(resp.Header, out.call.Media)
	} else {
		err = checkType(resp.Header, want)
	}
	if err == nil {
		a.zipped, err = isZipped(resp.Header)
	}
	switch {
	case err != nil:
	case length == 0:
		err = errEmpty
	case limit > 0 && length > limit:
		err = errTooLarge
	}
	if err != nil {
		_ = w.Close()
		return nil, failure{status: http.StatusOK, err: &claviger.Error{Code: claviger.CodeUpstreamError, Err: err}}
	}
	if a.zipped {
		length = -1
	}
	return &http.Response{
		Status: "200 OK", StatusCode: http.StatusOK,
		Proto: resp.Proto, ProtoMajor: resp.ProtoMajor, ProtoMinor: resp.ProtoMinor,
		Header:        http.Header{"Content-Type": {want}},
		ContentLength: length,
		Body:          a,
	}, failure{status: http.StatusOK}
}

// checkType compares the media type of an answer, whose only parameter may be
// the charset that JSON and event streams have anyway.
func checkType(h http.Header, want string) error {
	values := h["Content-Type"]
	if len(values) == 1 && values[0] == want {
		return nil
	}
	if len(values) == 1 {
		t, params, err := mime.ParseMediaType(values[0])
		charset := params["charset"]
		if err == nil && t == want && (charset == "" || strings.EqualFold(charset, "utf-8")) {
			return nil
		}
	}
	return fmt.Errorf("upstream: the answer is not %s", want)
}

// mediaOf gives the media type of an answer that is neither JSON nor a stream,
// without its parameters, where it is one of those that are allowed.
func mediaOf(h http.Header, allowed []string) (string, error) {
	values := h["Content-Type"]
	if len(values) == 1 {
		t, _, err := mime.ParseMediaType(values[0])
		for _, a := range allowed {
			class, any := strings.CutSuffix(a, "*")
			if err == nil && (t == a || any && strings.HasPrefix(t, class)) {
				return t, nil
			}
		}
	}
	return "", fmt.Errorf("upstream: the answer is none of %s", strings.Join(allowed, ", "))
}

// isZipped reports whether the answer came compressed with gzip, which was not
// asked for and which some intermediaries do all the same.
func isZipped(h http.Header) (bool, error) {
	switch e := strings.Join(h["Content-Encoding"], ","); {
	case e == "" || strings.EqualFold(e, "identity"):
		return false, nil
	case strings.EqualFold(e, "gzip") || strings.EqualFold(e, "x-gzip"):
		return true, nil
	default:
		return false, errors.New("upstream: the answer has a content encoding that was not asked for")
	}
}

// answer is the body of a good answer.
type answer struct {
	watch   *watch
	source  io.Reader // the watch, or what is decompressed from it
	zipped  bool
	limit   int64 // 0: none
	read    int64
	err     error
	release context.CancelFunc
}

// Read implements io.Reader, for one goroutine.
func (a *answer) Read(p []byte) (int, error) {
	if a.err != nil || len(p) == 0 {
		return 0, a.err
	}
	if a.limit > 0 {
		p = p[:min(int64(len(p)), a.limit-a.read+1)] // one more shows that there is more
	}
	n, err := a.readSource(p)
	a.read += int64(n)
	switch {
	case a.limit > 0 && a.read > a.limit:
		n, err = 0, &claviger.Error{Code: claviger.CodeUpstreamError, Err: errTooLarge}
	case err == nil:
		return n, nil
	case errors.Is(err, io.EOF) && a.read == 0:
		err = &claviger.Error{Code: claviger.CodeUpstreamError, Err: errEmpty}
	}
	a.err = err
	_ = a.Close()
	return n, err
}

func (a *answer) readSource(p []byte) (int, error) {
	if !a.zipped {
		return a.source.Read(p)
	}
	raw, isRaw := a.source.(*watch)
	if isRaw {
		z, err := gzip.NewReader(raw)
		if err != nil {
			return 0, unzipError(err)
		}
		a.source = z
	}
	n, err := a.source.Read(p)
	return n, unzipError(err)
}

// unzipError keeps what the raw body said, and io.EOF at the end of it. A file
// that ends too early is an answer that was cut.
func unzipError(err error) error {
	if err == nil || err == io.EOF { //nolint:errorlint // a wrapped io.EOF is no end
		return err
	}
	if ours, ok := errors.AsType[*claviger.Error](err); ok {
		return ours
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return &claviger.Error{Code: claviger.CodeUpstreamError, Err: fmt.Errorf("upstream: the answer was cut: %w", io.ErrUnexpectedEOF)}
	}
	return &claviger.Error{Code: claviger.CodeUpstreamError, Err: errors.New("upstream: the answer is not gzip")}
}

// Close implements io.Closer. It may be called more than once and while a Read
// is under way, which then fails.
func (a *answer) Close() error {
	err := a.watch.Close()
	a.release()
	return err
}
