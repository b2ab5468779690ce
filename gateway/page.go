package gateway

import (
	"bytes"
	"crypto/rand"
	_ "embed"
	"html/template"
	"net/http"
	"net/url"
	"strconv"

	"claviger.dev/claviger"
)

//go:embed page.html
var pageSource string

var pageTemplate = template.Must(template.New("page").Parse(pageSource))

// page is what a form without JavaScript gets to see.
type page struct {
	Nonce     string
	Title     string
	Text      string
	Cut       bool
	Error     string
	Field     string
	Wait      int64
	RequestID string
	Back      string
}

// answerPage answers a form with a page.
func (x *exchange) answerPage(a *admitted) error {
	var p page
	err := x.answerWith(a, func(raw []byte) (claviger.Units, error) {
		result, units, err := x.route.action.Answer(raw)
		p.Text, p.Cut = result.Text, result.Finish == "length"
		if result.Data != nil {
			p.Text = string(result.Data)
		}
		if result.Finish == "refused" && p.Text == "" {
			p.Text = "The model declined to answer."
		}
		x.transcript.saysResult(&result)
		return units, err
	})
	if err != nil {
		return err
	}
	p.Title = "Answer"
	return x.writePage(http.StatusOK, p)
}

// failurePage says what went wrong in the words of the contract (M-A5).
func (x *exchange) failurePage(e *claviger.Error) {
	p := page{Title: "That did not work", Error: e.Sentence(), Field: e.Param, Wait: seconds(e.RetryAfter)}
	switch e.Code {
	case claviger.CodeUpstreamError, claviger.CodeUpstreamInvalid:
		p.Error = "OpenAI request failed"
	default:
	}
	if err := x.writePage(e.HTTPStatus(), p); err != nil {
		x.html = false
		x.fail(e)
	}
}

func (x *exchange) writePage(status int, p page) error {
	p.Nonce, p.RequestID, p.Back = rand.Text(), x.event.RequestID, x.back()
	var b bytes.Buffer
	if err := pageTemplate.Execute(&b, p); err != nil {
		return &claviger.Error{Code: claviger.CodeInternal, Err: err}
	}
	h := x.w.Header()
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'nonce-"+p.Nonce+
		"'; form-action 'none'; frame-ancestors 'none'; base-uri 'none'")
	h.Set("Content-Type", typeHTML+"; charset=utf-8")
	if x.s.Tripwire != nil && x.s.Tripwire.Contains(b.Bytes()) {
		return &claviger.Error{Code: claviger.CodeUpstreamError, Err: x.tripped("page")}
	}
	h.Set("Content-Length", strconv.Itoa(b.Len()))
	x.limitHeaders()
	x.commit(status)
	x.writeWhole(b.Bytes())
	return nil
}

// back is the page that the form stands on, where it is one of ours.
func (x *exchange) back() string {
	u, err := url.Parse(x.r.Referer())
	if err != nil || u.Host == "" || !x.s.Origins.Allowed(u.Scheme+"://"+u.Host) {
		return ""
	}
	return u.String()
}
