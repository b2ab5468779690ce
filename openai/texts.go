package openai

import (
	"errors"
	"slices"
	"strings"

	"claviger.dev/claviger"
	"claviger.dev/claviger/internal/jsonx"
)

// Texts calls visit for every string that the caller sent and that is sent on,
// with its place, until visit returns false: names of members and of files are
// among them, and the content of files is not. Numbers that stand for text are an
// *claviger.Error with CodeInvalidInput, since nobody can read them.
func (r *Request) Texts(visit func(*jsonx.Leaf) bool) error {
	if r.body == nil || r.head == nil {
		return nil
	}
	v, err := jsonx.Parse(append(slices.Clip(r.head), '}'))
	if err != nil {
		return &claviger.Error{Code: claviger.CodeInternal, Err: errors.New("a body that was written anew cannot be read")}
	}
	tokens := false
	done := jsonx.Leaves("", v, func(l *jsonx.Leaf) bool {
		if l.Kind != jsonx.KindNumber {
			return visit(l)
		}
		tokens = r.row.Name == EndpointEmbeddings && l.Top() == "input"
		return !tokens
	})
	if tokens {
		return badParameter("input", "Send text: tokens cannot be checked here")
	}
	for _, f := range r.files {
		if !done || !visit(jsonx.TextLeaf(f.name+".filename", fileName(f.file.Name))) {
			break
		}
	}
	return nil
}

// coded are the members whose strings name something or are media, where they
// look like it.
var coded = map[string]bool{
	"model": true, "role": true, "type": true, "id": true, "call_id": true, "tool_call_id": true, "item_id": true, "file_id": true,
	"status": true, "detail": true, "effort": true, "format": true, "encoding_format": true, "voice": true, "phase": true,
	"previous_response_id": true, "conversation": true, "encrypted_content": true, "prompt_cache_key": true, "include": true,
	"image_url": true, "url": true, "data": true, "file_data": true,
}

// Prose reports whether a text may be words, to be judged by what they say. What
// stands where the API has names, addresses or media, and has no white space, is
// not.
func Prose(l *jsonx.Leaf) bool {
	if l.Kind == jsonx.KindObject && jsonx.IsWord(l.Text) || strings.TrimSpace(l.Text) == "" {
		return false
	}
	return !coded[l.Member()] || strings.ContainsAny(l.Text, " \t\r\n")
}
