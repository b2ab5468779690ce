package openaitest

import (
	"reflect"
	"strings"
)

// Satisfy makes JSON for a schema.
func Satisfy(schema []byte, prompt string) string {
	src := source(hashOf(prompt))
	return satisfy(schema, prompt, &src)
}

// Split breaks a text into deltas.
func Split(text string) []string { return split(text) }

// RequestMembers returns the names of the members that requests may have.
func RequestMembers() map[string][]string {
	return map[string][]string{
		"/v1/responses":                       memberNames(reflect.TypeFor[createResponse]()),
		"/v1/chat/completions":                memberNames(reflect.TypeFor[createChat]()),
		"/v1/embeddings":                      memberNames(reflect.TypeFor[createEmbedding]()),
		"/v1/moderations":                     memberNames(reflect.TypeFor[createModeration]()),
		"/v1/images/generations":              memberNames(reflect.TypeFor[createImage]()),
		"/v1/images/edits":                    memberNames(reflect.TypeFor[editImage]()),
		"/v1/audio/speech":                    memberNames(reflect.TypeFor[createSpeech]()),
		"/v1/vector_stores":                   memberNames(reflect.TypeFor[createStore]()),
		"/v1/vector_stores/{id}":              memberNames(reflect.TypeFor[updateStore]()),
		"/v1/vector_stores/{id}/search":       memberNames(reflect.TypeFor[searchRequest]()),
		"/v1/vector_stores/{id}/files":        memberNames(reflect.TypeFor[addFile]()),
		"/v1/vector_stores/{id}/files/{id}":   memberNames(reflect.TypeFor[updateStoreFile]()),
		"/v1/vector_stores/{id}/file_batches": memberNames(reflect.TypeFor[createBatch]()),
		"/v1/uploads":                         memberNames(reflect.TypeFor[createUpload]()),
		"/v1/uploads/{id}/complete":           memberNames(reflect.TypeFor[completeUpload]()),
		"/v1/conversations":                   memberNames(reflect.TypeFor[createConversation]()),
	}
}

func memberNames(t reflect.Type) []string {
	var out []string
	for f := range t.Fields() {
		if f.Anonymous {
			out = append(out, memberNames(f.Type)...)
			continue
		}
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		out = append(out, name)
	}
	return out
}

// Bounds of a shelf.
const (
	ShelfLimit = shelfLimit
	ShelfBytes = shelfBytes
)

// ShelfOf puts n objects of a weight on a shelf and returns what stays.
func ShelfOf(n int, weight int64) []string {
	var s shelf[string]
	for i := range n {
		s.put(itoa(i), itoa(i), weight)
	}
	return s.all()
}
