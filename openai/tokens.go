package openai

import (
	"slices"
	"strings"

	"claviger.dev/claviger"
	"claviger.dev/claviger/internal/jsonx"
)

// How input is bounded. A token is at least one byte of text, so the bytes of
// everything that becomes input, in JSON, bound its tokens; the JSON around a
// message or tool is longer than what the provider puts around it. An image
// counts as a fixed number, whatever its bytes:
//
//	gpt-4o-mini             48,169 (2,833 and eight tiles of 5,667)
//	detail "original"       16,384
//	every other             4,096
//
// by OpenAI's guide on images and vision: at most eight tiles, or 1,536 patches
// (2,500 for newer models) times at most 2.46 and 1.62. What a file search finds
// counts as many results as it may find, each as long as a piece of a file can be,
// times the tool calls that the response may make.
const (
	imageTokens         = 4096
	imageTokensOriginal = 16384
	imageTokensMini     = 48169
	// fixedTokens is for what frames a conversation as a whole.
	fixedTokens = 64
	// messageTokens is for what frames one message, where text is counted.
	messageTokens = 8
	// maxTokenBytes is how many bytes of text for each token of the limit are
	// counted at all: beyond that the call is refused by its size, since
	// counting costs more than it could tell.
	maxTokenBytes = 16
)

func (r *Request) imageBound() int64 {
	if r.row.bound != nil {
		return r.media.input
	}
	per := int64(imageTokens)
	if r.originals {
		per = imageTokensOriginal
	}
	if strings.Contains(r.call.Model, "gpt-4o-mini") {
		per = imageTokensMini
	}
	return per * r.images
}

// inputBound is an upper bound on the input tokens.
func (r *Request) inputBound() int64 {
	return r.textBytes - r.imageBytes + r.imageBound() + r.foundBound() + fixedTokens + r.brought
}

// inputEstimate is what the input probably was.
func (r *Request) inputEstimate() int64 {
	if r.counted > 0 {
		return r.counted
	}
	return (r.call.MaxInput + bytesPerToken - 1) / bytesPerToken
}

// capInput refuses a call with more input than limit. Text is counted only
// when its bytes alone do not show that it is within.
func (r *Request) capInput(c *claviger.Call, limit int64) error {
	if c.MaxInput <= limit {
		return nil
	}
	text := r.textBytes - r.imageBytes
	if r.policy.Tokens != nil && text/maxTokenBytes <= limit && r.imageBound()+r.foundBound()+r.brought < limit {
		if n := r.countInput(); n < c.MaxInput {
			c.MaxInput, r.counted = n, n
		}
	}
	if c.MaxInput <= limit {
		return nil
	}
	if r.foundBound() > limit {
		return &claviger.Error{
			Code: claviger.CodeInvalidInput, Param: "tools",
			Detail: "A file search may find more than the " + itoa(int(limit)) + " tokens that are allowed: send a lower max_num_results or max_tool_calls",
		}
	}
	return &claviger.Error{
		Code: claviger.CodeInvalidInput, Param: r.row.input,
		Detail: "The input is longer than the " + itoa(int(limit)) + " tokens that are allowed",
	}
}

// countInput counts the tokens of every text that becomes input.
func (r *Request) countInput() int64 {
	v, err := jsonx.Parse(append(slices.Clip(r.head), '}'))
	if err != nil {
		return r.inputBound()
	}
	var t textCounter
	for name, m := range v.Fields() {
		if i := r.body.find(name, 0); i >= 0 && r.body.fields[i].counts {
			c := m.Cursor()
			t.walk(&c)
		}
	}
	n := r.policy.Tokens(r.call.Model, t.text.String())
	if n < 0 {
		return r.inputBound()
	}
	return n + t.plain + r.imageBound() + r.foundBound() + fixedTokens + r.brought
}

// textCounter gathers names and strings; numbers count as a token each, which
// is what they are in an input that comes tokenised.
type textCounter struct {
	text  strings.Builder
	plain int64
}

func (t *textCounter) walk(c *jsonx.Cursor) {
	switch c.Kind() {
	case jsonx.KindObject:
		t.plain += messageTokens
		c.Enter()
		for c.Member() {
			t.add(c.Name())
			t.walk(c)
		}
	case jsonx.KindArray:
		c.Enter()
		for c.Element() {
			t.walk(c)
		}
	case jsonx.KindString:
		if s := c.Value().Str(); !strings.HasPrefix(s, "data:image/") {
			t.add(s)
		}
	default:
		t.plain++
		c.Skip()
	}
}

func (t *textCounter) add(s string) {
	t.text.WriteString(s)
	t.text.WriteByte('\n')
}
