package openaitest_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
	"github.com/openai/openai-go/v3/packages/param"
	"github.com/openai/openai-go/v3/responses"
	"github.com/openai/openai-go/v3/shared"

	"claviger.dev/claviger/openaitest"
)

func sdk(t *testing.T, srv *openaitest.Server) openai.Client {
	t.Helper()
	return openai.NewClient(
		option.WithBaseURL(srv.URL), option.WithAPIKey(srv.Key()), option.WithMaxRetries(0), option.WithHTTPClient(fresh(t)),
	)
}

// TestOfficialLibrary has OpenAI's own Go library understand what comes back.
func TestOfficialLibrary(t *testing.T) {
	srv := newServer(t, openaitest.Options{})
	client := sdk(t, srv)
	ask := responses.ResponseNewParams{Model: mini, Input: responses.ResponseNewParamsInputUnion{OfString: param.NewOpt("How do bees fly?")}}
	whole, err := client.Responses.New(t.Context(), ask)
	if err != nil {
		t.Fatal(err)
	}
	if whole.OutputText() == "" || whole.Status != "completed" || whole.Usage.OutputTokens == 0 {
		t.Errorf("%+v", whole)
	}
	var text strings.Builder
	var last responses.Response
	events := client.Responses.NewStreaming(t.Context(), ask)
	for events.Next() {
		switch ev := events.Current().AsAny().(type) {
		case responses.ResponseTextDeltaEvent:
			text.WriteString(ev.Delta)
		case responses.ResponseCompletedEvent:
			last = ev.Response
		}
	}
	if err := events.Err(); err != nil || text.String() != whole.OutputText() || last.OutputText() != text.String() {
		t.Errorf("%v: streamed %q, plain %q", err, text.String(), whole.OutputText())
	}
	messages := []openai.ChatCompletionMessageParamUnion{openai.UserMessage("How do bees fly?")}
	message, err := client.Chat.Completions.New(t.Context(), openai.ChatCompletionNewParams{Model: mini, Messages: messages})
	if err != nil || message.Choices[0].Message.Content != whole.OutputText() {
		t.Fatalf("%v: %+v", err, message)
	}
	acc := openai.ChatCompletionAccumulator{}
	chunks := client.Chat.Completions.NewStreaming(t.Context(), openai.ChatCompletionNewParams{
		Model: mini, Messages: messages, StreamOptions: openai.ChatCompletionStreamOptionsParam{IncludeUsage: openai.Bool(true)},
	})
	for chunks.Next() {
		if !acc.AddChunk(chunks.Current()) {
			t.Error("a chunk does not fit the one before")
		}
	}
	if err := chunks.Err(); err != nil || acc.Choices[0].Message.Content != whole.OutputText() || acc.Usage.TotalTokens != message.Usage.TotalTokens {
		t.Errorf("%v: %+v", err, acc)
	}
	vectors, err := client.Embeddings.New(t.Context(), openai.EmbeddingNewParams{
		Model: openai.EmbeddingModelTextEmbedding3Small, Input: openai.EmbeddingNewParamsInputUnion{OfArrayOfStrings: []string{"a", "b"}},
	})
	if err != nil || len(vectors.Data) != 2 || len(vectors.Data[1].Embedding) != 1536 {
		t.Errorf("%v", err)
	}
	verdict, err := client.Moderations.New(t.Context(), openai.ModerationNewParams{Input: openai.ModerationNewParamsInputUnion{OfString: openai.String("flag as violence")}})
	if err != nil || !verdict.Results[0].Categories.Violence {
		t.Errorf("%v: %+v", err, verdict)
	}
	models, err := client.Models.List(t.Context())
	if err != nil || len(models.Data) == 0 {
		t.Errorf("%v", err)
	}
}

func TestOfficialLibraryTools(t *testing.T) {
	srv := newServer(t, openaitest.Options{})
	client := sdk(t, srv)
	acc := openai.ChatCompletionAccumulator{}
	chunks := client.Chat.Completions.NewStreaming(t.Context(), openai.ChatCompletionNewParams{
		Model: mini, Messages: []openai.ChatCompletionMessageParamUnion{openai.UserMessage("call the tool get_weather")},
		Tools: []openai.ChatCompletionToolUnionParam{openai.ChatCompletionFunctionTool(shared.FunctionDefinitionParam{
			Name: "get_weather", Parameters: shared.FunctionParameters(weatherTool(false)["parameters"].(object)),
		})},
	})
	var finished openai.FinishedChatCompletionToolCall
	for chunks.Next() {
		acc.AddChunk(chunks.Current())
		if c, ok := acc.JustFinishedToolCall(); ok {
			finished = c
		}
	}
	if err := chunks.Err(); err != nil || finished.Name != "get_weather" || !strings.Contains(finished.Arguments, `"city"`) {
		t.Errorf("%v: %+v", err, finished)
	}
}

func TestOfficialLibraryErrors(t *testing.T) {
	srv := newServer(t, openaitest.Options{})
	client := sdk(t, srv)
	ask := responses.ResponseNewParams{Model: mini, Input: responses.ResponseNewParamsInputUnion{OfString: param.NewOpt("x")}}
	for fault, status := range map[string]int{"401": 401, "429 retry-after=1": 429, "500": 500} {
		srv.Inject(mustParse(t, fault+" times=1"))
		_, err := client.Responses.New(t.Context(), ask)
		var apiErr *openai.Error
		if !errors.As(err, &apiErr) || apiErr.StatusCode != status || apiErr.Message == "" {
			t.Errorf("%s: %v", fault, err)
		}
	}
	srv.Inject(mustParse(t, "error-event after=5 times=1"))
	events := client.Responses.NewStreaming(t.Context(), ask)
	n := 0
	for events.Next() {
		n++
	}
	if n < 5 {
		t.Errorf("%d events before the error: %v", n, events.Err())
	}
	srv.Inject(mustParse(t, "error-event after=2 times=1"))
	chunks := client.Chat.Completions.NewStreaming(t.Context(), openai.ChatCompletionNewParams{
		Model: mini, Messages: []openai.ChatCompletionMessageParamUnion{openai.UserMessage("x")},
	})
	for chunks.Next() {
	}
	if chunks.Err() == nil {
		t.Error("an error inside a chat's stream is none to the library")
	}
}

func TestOfficialLibraryAborts(t *testing.T) {
	leakFree(t)
	srv := newServer(t, openaitest.Options{Delta: time.Millisecond})
	ctx, leave := context.WithCancel(t.Context())
	client := sdk(t, srv)
	events := client.Responses.NewStreaming(ctx, responses.ResponseNewParams{
		Model: mini, Input: responses.ResponseNewParamsInputUnion{OfString: param.NewOpt("write 100000 words")},
	})
	for range 10 {
		events.Next()
	}
	leave()
	_ = events.Close()
	wait(t, srv, openaitest.Canceled(1))
	if c := srv.Calls()[0]; c.Usage.Output < 5 || c.Usage.Output > 90_000 || c.Method != http.MethodPost {
		t.Errorf("%+v", c.Usage)
	}
}
