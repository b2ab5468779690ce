package e2e

import (
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
	"github.com/openai/openai-go/v3/responses"

	"claviger.dev/claviger/openaitest"
)

const filesConfig = `
environment: development
auth:
  - ticket: {secrets: [env:TICKET_SECRET]}
plans:
  - name: all
    models: [gpt-4.1-mini]
    limits: {requests: 1000/min, tokens: 10M/day, spend: 20 USD/day}
proxy:
  endpoints: [responses, files.*, uploads.*, vector_stores.*]
  tools: [file_search]
`

// TestGoSDKFiles: OpenAI's own library uploads, searches and deletes through the
// gateway, and another user of it finds nothing.
func TestGoSDKFiles(t *testing.T) {
	g := serve(t, filesConfig, openaitest.Options{}, "TICKET_SECRET="+canary())
	user := func(name string) openai.Client {
		return openai.NewClient(option.WithBaseURL(g.url+"/v1"), option.WithAPIKey(g.ticket(t, name)), option.WithMaxRetries(0))
	}
	ada, bob := user("ada"), user("bob")
	ctx := t.Context()
	const content = "Bees find flowers by colour and scent."
	file, err := ada.Files.New(ctx, openai.FileNewParams{
		File: openai.File(strings.NewReader(content), "bees.txt", "text/plain"), Purpose: openai.FilePurposeUserData,
		ExpiresAfter: openai.FileNewParamsExpiresAfter{Seconds: 3600},
	})
	if err != nil {
		t.Fatal(err)
	}
	if file.Filename != "bees.txt" || file.Bytes != int64(len(content)) || file.ExpiresAt == 0 {
		t.Errorf("%+v", file)
	}
	store, err := ada.VectorStores.New(ctx, openai.VectorStoreNewParams{Name: openai.String("notes"), FileIDs: []string{file.ID}})
	if err != nil {
		t.Fatal(err)
	}
	found, err := ada.VectorStores.Search(ctx, store.ID, openai.VectorStoreSearchParams{
		Query: openai.VectorStoreSearchParamsQueryUnion{OfString: openai.String("bees")},
	})
	if err != nil || len(found.Data) != 1 || found.Data[0].FileID != file.ID {
		t.Errorf("search: %v %+v", err, found)
	}
	ask := func(c openai.Client) (*responses.Response, error) {
		return c.Responses.New(ctx, responses.ResponseNewParams{
			Model: "gpt-4.1-mini", Input: responses.ResponseNewParamsInputUnion{OfString: openai.String("bees and flowers")},
			Tools: []responses.ToolUnionParam{responses.ToolParamOfFileSearch([]string{store.ID})},
		})
	}
	r, err := ask(ada)
	if err != nil || len(r.Output) < 2 || r.Output[0].Type != "file_search_call" || !strings.Contains(r.RawJSON(), file.ID) {
		t.Errorf("file search: %v", err)
	}
	upload, err := ada.Uploads.New(ctx, openai.UploadNewParams{Bytes: 6, Filename: "a.png", MimeType: "image/png", Purpose: openai.FilePurposeVision})
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, text := range []string{"abc", "def"} {
		part, err := ada.Uploads.Parts.New(ctx, upload.ID, openai.UploadPartNewParams{Data: strings.NewReader(text)})
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, part.ID)
	}
	if upload, err = ada.Uploads.Complete(ctx, upload.ID, openai.UploadCompleteParams{PartIDs: ids}); err != nil {
		t.Fatal(err)
	}
	resp, err := ada.Files.Content(ctx, upload.File.ID)
	if err != nil {
		t.Fatal(err)
	}
	whole, err := io.ReadAll(resp.Body)
	if err != nil || resp.Body.Close() != nil || string(whole) != "abcdef" {
		t.Errorf("%v %q", err, whole)
	}
	count := func(c openai.Client) (n int) {
		t.Helper()
		pages := c.Files.ListAutoPaging(ctx, openai.FileListParams{Limit: openai.Int(1)})
		for pages.Next() {
			n++
		}
		if pages.Err() != nil {
			t.Error(pages.Err())
		}
		return n
	}
	if n, m := count(ada), count(bob); n != 2 || m != 0 {
		t.Errorf("%d files, and %d for somebody else", n, m)
	}
	for what, try := range map[string]func() error{
		"a file":   func() error { _, err := bob.Files.Get(ctx, file.ID); return err },
		"a store":  func() error { _, err := bob.VectorStores.Get(ctx, store.ID); return err },
		"a search": func() error { _, err := ask(bob); return err },
	} {
		var refused *openai.Error
		if err := try(); !errors.As(err, &refused) || refused.StatusCode != 404 {
			t.Errorf("somebody else at %s: %v", what, err)
		}
	}
	if gone, err := ada.Files.Delete(ctx, file.ID); err != nil || !gone.Deleted {
		t.Errorf("%v", err)
	}
}
