package e2e

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
	"github.com/openai/openai-go/v3/responses"

	"claviger.dev/claviger/openaitest"
)

const sdkConfig = `
environment: development
auth:
  - ticket: {secrets: [env:TICKET_SECRET]}
plans:
  - name: all
    models: [gpt-4.1-mini, text-embedding-3-small]
    limits: {requests: 1000/min, concurrency: 20, tokens: 10M/day, spend: 20 USD/day}
proxy:
  endpoints: [responses, chat.completions, embeddings, moderations]
`

func sdkGateway(t *testing.T) *gateway {
	t.Helper()
	return serve(t, sdkConfig, openaitest.Options{Delta: 2 * time.Millisecond, PromptFaults: true}, "TICKET_SECRET="+canary())
}

type thrown struct {
	Thrown, Code, Param, Message string
	Status                       int
}

func TestNodeSDK(t *testing.T) {
	needTools(t)
	g := sdkGateway(t)
	out := node(t, []string{"BASE_URL=" + g.url + "/v1", "TICKET=" + g.ticket(t, "sdk")}, "sdk/openai.mjs")
	ended := time.Now()
	var got struct {
		Responses struct {
			Text, Status string
			Usage        int
			Instructions *string
		}
		ResponsesStream struct {
			Text  string
			Usage int
			Types []string
		}
		ResponsesHelper struct{ Text string }
		Chat            struct {
			Text, Finish string
			Usage        int
		}
		ChatStream struct {
			Text                string
			Chunks, UsageChunks int
		}
		ChatStreamUsage                   struct{ Usage int }
		Tool                              struct{ Name, Finish string }
		Embeddings                        struct{ Vectors, Width int }
		Models                            struct{ IDs []string }
		BadModel, BadMember, SystemRole   thrown
		UpstreamKeyRejected, UpstreamBusy thrown
		NotServed, NoTicket               thrown
		Abort                             struct{ Chunks int }
	}
	if err := json.Unmarshal(out, &got); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	t.Logf("%s", out)
	words := func(s string) int { return len(strings.Fields(s)) }
	for name, ok := range map[string]bool{
		"responses":              words(got.Responses.Text) == 12 && got.Responses.Usage > 0 && got.Responses.Instructions == nil,
		"responses stream":       got.ResponsesStream.Text == got.Responses.Text && got.ResponsesStream.Usage == got.Responses.Usage,
		"responses event types":  slices.Contains(got.ResponsesStream.Types, "response.completed") && slices.Contains(got.ResponsesStream.Types, "response.created"),
		"responses stream class": words(got.ResponsesHelper.Text) == 5,
		"chat":                   words(got.Chat.Text) == 12 && got.Chat.Finish == "stop",
		"chat stream":            got.ChatStream.Text == got.Chat.Text && got.ChatStream.UsageChunks == 0,
		"chat stream usage":      got.ChatStreamUsage.Usage == got.Chat.Usage,
		"function call":          got.Tool.Name == "lookup" && got.Tool.Finish == "tool_calls",
		"embeddings":             got.Embeddings.Vectors == 2 && got.Embeddings.Width > 100,
		"models of the plan":     slices.Equal(got.Models.IDs, []string{"gpt-4.1-mini", "text-embedding-3-small"}),
		"model refused":          got.BadModel == thrown{Thrown: "PermissionDeniedError", Status: 403, Code: "model_not_allowed", Param: "model", Message: got.BadModel.Message},
		"member refused":         got.BadMember.Thrown == "BadRequestError" && got.BadMember.Param == "base_url",
		"system role refused":    got.SystemRole.Thrown == "PermissionDeniedError" && got.SystemRole.Param == "messages[0].role",
		"upstream 500":           got.UpstreamKeyRejected.Status == 502 && got.UpstreamKeyRejected.Code == "upstream_error",
		"upstream HTML":          got.UpstreamBusy.Status == 502,
		"endpoint not served":    got.NotServed.Thrown == "NotFoundError" && got.NotServed.Code == "not_found",
		"no ticket":              got.NoTicket.Thrown == "AuthenticationError" && got.NoTicket.Code == "unauthenticated",
		"abort after 3 chunks":   got.Abort.Chunks == 3,
	} {
		if !ok {
			t.Errorf("not so: %s", name)
		}
	}
	seenCancel(t, g, ended)
}

// seenCancel fails unless upstream saw its last caller leave.
func seenCancel(t *testing.T, g *gateway, left time.Time) {
	t.Helper()
	deadline := time.Now().Add(5 * time.Second)
	for time.Now().Before(deadline) {
		calls := g.sim.Calls()
		for _, c := range calls {
			if c.Canceled {
				t.Logf("upstream saw the caller leave %v after it left", c.CanceledAt.Sub(left).Round(time.Millisecond))
				if c.CanceledAt.Sub(left) > time.Second {
					t.Error("that is more than a second")
				}
				return
			}
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Error("upstream never saw the caller leave")
}

func TestGoSDK(t *testing.T) {
	g := sdkGateway(t)
	client := openai.NewClient(option.WithBaseURL(g.url+"/v1"), option.WithAPIKey(g.ticket(t, "go-sdk")), option.WithMaxRetries(0))
	ctx := t.Context()
	const model = "gpt-4.1-mini"

	r, err := client.Responses.New(ctx, responses.ResponseNewParams{
		Model: model, Input: responses.ResponseNewParamsInputUnion{OfString: openai.String("write 12 words")},
	})
	if err != nil || len(strings.Fields(r.OutputText())) != 12 {
		t.Errorf("responses: %v", err)
	}

	rs := client.Responses.NewStreaming(ctx, responses.ResponseNewParams{
		Model: model, Input: responses.ResponseNewParamsInputUnion{OfString: openai.String("write 12 words")},
	})
	var text strings.Builder
	for rs.Next() {
		if e := rs.Current(); e.Type == "response.output_text.delta" {
			text.WriteString(e.Delta)
		}
	}
	if rs.Err() != nil || len(strings.Fields(text.String())) != 12 {
		t.Errorf("responses stream: %v, %q", rs.Err(), text.String())
	}

	params := openai.ChatCompletionNewParams{Model: model, Messages: []openai.ChatCompletionMessageParamUnion{openai.UserMessage("write 12 words")}}
	c, err := client.Chat.Completions.New(ctx, params)
	if err != nil || len(strings.Fields(c.Choices[0].Message.Content)) != 12 {
		t.Errorf("chat: %v", err)
	}

	params.Model = "gpt-4.1"
	_, err = client.Chat.Completions.New(ctx, params)
	var refused *openai.Error
	if !errors.As(err, &refused) || refused.StatusCode != 403 || refused.Code != "model_not_allowed" {
		t.Errorf("a model above the plan: %v", err)
	}

	params.Model = model
	params.Messages = []openai.ChatCompletionMessageParamUnion{openai.UserMessage("write 2000 words")}
	stream := client.Chat.Completions.NewStreaming(ctx, params)
	for range 3 {
		if !stream.Next() {
			t.Fatalf("chat stream: %v", stream.Err())
		}
	}
	left := time.Now()
	if err := stream.Close(); err != nil {
		t.Errorf("closing the stream: %v", err)
	}
	seenCancel(t, g, left)
}
