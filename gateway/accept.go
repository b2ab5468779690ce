package gateway

import (
	"strconv"
	"strings"
)

const (
	typeHTML   = "text/html"
	typeEvents = "text/event-stream"
)

// negotiate notes what kind of answer the caller reads. Only a form can be
// answered with a page.
func (x *exchange) negotiate() {
	if x.route.action == nil {
		return
	}
	x.w.Header().Add("Vary", "Accept")
	kind, _, _ := strings.Cut(x.r.Header.Get("Content-Type"), ";")
	kind = strings.ToLower(strings.TrimSpace(kind))
	accept := strings.Join(x.r.Header["Accept"], ",")
	if kind == typeForm || kind == typeMultipart {
		x.html = quality(accept, typeHTML) > quality(accept, typeJSON)
	}
}

// streamFormat is the shape in which an action streams.
type streamFormat int

const (
	streamNone streamFormat = iota
	streamOwn
	streamAISDK
)

func (x *exchange) streamFormat() streamFormat {
	if x.r.Header.Get("X-Claviger-Stream") == "ai-sdk" {
		return streamAISDK
	}
	for part := range strings.SplitSeq(strings.Join(x.r.Header["Accept"], ","), ",") {
		if name, q := acceptPart(part); name == typeEvents && q > 0 {
			return streamOwn
		}
	}
	return streamNone
}

// quality is how much an Accept header wants a media type (RFC 9110, 12.5.1):
// the quality of its most specific match, in thousandths. No header at all
// wants nothing in particular.
func quality(accept, want string) int {
	best, specific := 0, -1
	class, _, _ := strings.Cut(want, "/")
	for part := range strings.SplitSeq(accept, ",") {
		name, q := acceptPart(part)
		rank := -1
		switch name {
		case want:
			rank = 2
		case class + "/*":
			rank = 1
		case "*/*":
			rank = 0
		}
		if rank > specific {
			best, specific = q, rank
		}
	}
	return best
}

func acceptPart(part string) (name string, thousandths int) {
	name, params, _ := strings.Cut(part, ";")
	thousandths = 1000
	for p := range strings.SplitSeq(params, ";") {
		if v, ok := strings.CutPrefix(strings.TrimSpace(p), "q="); ok {
			f, err := strconv.ParseFloat(v, 64)
			if err != nil || f < 0 || f > 1 {
				f = 0
			}
			thousandths = int(f * 1000)
		}
	}
	return strings.ToLower(strings.TrimSpace(name)), thousandths
}
