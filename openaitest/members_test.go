package openaitest_test

import (
	"strings"
	"testing"

	"claviger.dev/claviger/openaitest"
)

// requestSchemas names the schema of each request in JSON.
var requestSchemas = map[string]string{
	"/v1/responses": "CreateResponse", "/v1/chat/completions": "CreateChatCompletionRequest",
	"/v1/embeddings": "CreateEmbeddingRequest", "/v1/moderations": "CreateModerationRequest",
	"/v1/images/generations": "CreateImageRequest", "/v1/images/edits": "EditImageBodyJsonParam",
	"/v1/vector_stores": "CreateVectorStoreRequest", "/v1/vector_stores/{id}": "UpdateVectorStoreRequest",
	"/v1/vector_stores/{id}/search": "VectorStoreSearchRequest", "/v1/vector_stores/{id}/files": "CreateVectorStoreFileRequest",
	"/v1/vector_stores/{id}/files/{id}": "UpdateVectorStoreFileAttributesRequest", "/v1/vector_stores/{id}/file_batches": "CreateVectorStoreFileBatchRequest",
	"/v1/audio/speech": "CreateSpeechRequest", "/v1/uploads": "CreateUploadRequest", "/v1/uploads/{id}/complete": "CompleteUploadRequest", "/v1/conversations": "CreateConversationBody",
}

// TestRequestMembersAreTheDocuments holds the members that a request may have
// against the document, both ways.
func TestRequestMembersAreTheDocuments(t *testing.T) {
	d := openDocument(t)
	srv := newServer(t, openaitest.Options{})
	for path, name := range requestSchemas {
		if strings.Contains(path, "{") {
			continue
		}
		path = strings.TrimPrefix(path, "/v1")
		for member := range d.members(t, object{"$ref": "#/components/schemas/" + name}) {
			// A member of a wrong type shows by another code that it is known.
			_, body := send(t, request(t, srv, path, object{member: object{"x": []any{object{}}}}))
			if strings.Contains(string(body), "unknown_parameter") && strings.Contains(string(body), "'"+member+"'") {
				t.Errorf("%s refuses %q, which the document has: %s", path, member, body)
			}
		}
		_, body := send(t, request(t, srv, path, object{"not_a_member": 1}))
		if !strings.Contains(string(body), `"code":"unknown_parameter"`) || !strings.Contains(string(body), `"param":"not_a_member"`) {
			t.Errorf("%s takes an unknown member: %s", path, body)
		}
	}
	for path, want := range openaitest.RequestMembers() {
		name := requestSchemas[path]
		have := d.members(t, object{"$ref": "#/components/schemas/" + name})
		for _, m := range want {
			if !have[m] {
				t.Errorf("%s takes %q, which the document does not have", path, m)
			}
		}
		if len(want) != len(have) {
			t.Errorf("%s knows %d members, the document %d", path, len(want), len(have))
		}
	}
}

func (d *document) members(t *testing.T, schema any) map[string]bool {
	t.Helper()
	s := schema.(object)
	out := map[string]bool{}
	if ref, ok := s["$ref"].(string); ok {
		return d.members(t, at(t, d.raw, "components", "schemas", strings.TrimPrefix(ref, "#/components/schemas/")))
	}
	if p, ok := s["properties"].(object); ok {
		for k := range p {
			out[k] = true
		}
	}
	if all, ok := s["allOf"].([]any); ok {
		for _, part := range all {
			for k := range d.members(t, part) {
				out[k] = true
			}
		}
	}
	return out
}
