package netx

import (
	"errors"
	"fmt"
	"mime"
	"net/http"
	"strings"
)

// UserAgent is how the gateway names itself to the services that it asks for
// itself: issuers, apps, providers of proofs.
const UserAgent = "claviger"

// ErrMediaType says that an answer is not the JSON that was asked for.
var ErrMediaType = errors.New("the answer is not application/json in UTF-8")

// Answer is what a service said. Body is read only with status 200.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// Ask sends r through a client of this package, asks for JSON under our own
// name, and reads the whole answer. A body of more than limit bytes fails with
// ErrTooLarge, before it is read where its length is declared. Any status is an
// answer; no redirect is followed and no cookie is kept. It blocks until the
// client's time limit or the end of r's context. Errors name the address alone.
func Ask(c *http.Client, r *http.Request, limit int64) (*Answer, error) {
	r.Header.Set("Accept", "application/json")
	r.Header.Set("User-Agent", UserAgent)
	res, err := c.Do(r) //nolint:gosec // every client of this package is held to the configured host
	if err != nil {
		return nil, fmt.Errorf("no answer: %w", err)
	}
	defer func() { _ = res.Body.Close() }()
	a := &Answer{Status: res.StatusCode, Header: res.Header}
	switch {
	case a.Status != http.StatusOK:
		return a, nil
	case res.ContentLength > limit:
		return nil, fmt.Errorf("%s: %w", r.URL.Redacted(), ErrTooLarge)
	}
	if a.Body, err = ReadAll(res.Body, limit, res.ContentLength); err != nil {
		return nil, fmt.Errorf("%s: %w", r.URL.Redacted(), err)
	}
	return a, nil
}

// CheckJSON returns ErrMediaType unless the answer is declared as JSON, in
// UTF-8 and not encoded.
func (a *Answer) CheckJSON() error {
	kinds := a.Header["Content-Type"]
	if len(kinds) != 1 || a.Header.Get("Content-Encoding") != "" {
		return ErrMediaType
	}
	kind, params, err := mime.ParseMediaType(kinds[0])
	charset := params["charset"]
	if err != nil || kind != "application/json" || charset != "" && !strings.EqualFold(charset, "utf-8") {
		return ErrMediaType
	}
	return nil
}
