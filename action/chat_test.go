package action

import (
	"fmt"
	"strings"
	"testing"

	"claviger.dev/claviger"
)

func TestChat(t *testing.T) {
	a := generate(t, chatty, func(d *Definition) { d.Turns = 4; d.Characters = 10 })
	for _, tt := range []struct {
		name, body string
		ui         bool
		want       string // roles and texts
		sentence   string
		field      string
	}{
		{name: "one", body: `{"messages":[{"role":"user","content":"hi"}]}`, want: "user:hi|"},
		{name: "history", body: `{"messages":[{"role":"user","content":"a"},{"content":"b","role":"assistant"},{"role":"user","content":"c"}]}`, want: "user:a|assistant:b|user:c|"},
		{name: "not alternating", body: `{"messages":[{"role":"user","content":"a"},{"role":"user","content":"b"}]}`, want: "user:a|user:b|"},
		{name: "all characters", body: `{"messages":[{"role":"user","content":"ääääääääää"}]}`, want: "user:ääääääääää|"},
		{name: "all turns", body: `{"messages":[` + turns(4) + `]}`, want: "user:x|user:x|user:x|user:x|"},

		{name: "one character more", body: `{"messages":[{"role":"user","content":"abcde"},{"role":"user","content":"äääääx"}]}`, field: "messages"},
		{name: "one turn more", body: `{"messages":[` + turns(5) + `]}`, field: "messages"},
		{name: "none", body: `{"messages":[]}`, field: "messages"},
		{name: "absent", body: `{}`, field: "messages"},
		{name: "not a list", body: `{"messages":{"0":{"role":"user","content":"x"}}}`, field: "messages"},
		{name: "no object", body: `[]`, field: "messages"},
		{name: "empty body", body: ``, field: "messages"},
		{name: "last is the assistant's", body: `{"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"b"}]}`, field: "messages"},
		{name: "system", body: `{"messages":[{"role":"system","content":"a"},{"role":"user","content":"b"}]}`, field: "messages[0].role"},
		{name: "developer", body: `{"messages":[{"role":"user","content":"b"},{"role":"developer","content":"a"}]}`, field: "messages[1].role"},
		{name: "case of role", body: `{"messages":[{"role":"User","content":"b"}]}`, field: "messages[0].role"},
		{name: "no role", body: `{"messages":[{"content":"b"}]}`, field: "messages[0].role"},
		{name: "no content", body: `{"messages":[{"role":"user"}]}`, field: "messages[0].content"},
		{name: "empty content", body: `{"messages":[{"role":"user","content":""}]}`, field: "messages[0].content"},
		{name: "blank content", body: `{"messages":[{"role":"user","content":" \n"}]}`, field: "messages[0].content"},
		{name: "empty answer", body: `{"messages":[{"role":"assistant","content":""},{"role":"user","content":"x"}]}`, field: "messages[0].content"},
		{name: "parts as content", body: `{"messages":[{"role":"user","content":[{"type":"input_image","image_url":"x"}]}]}`, field: "messages[0].content"},
		{name: "message no object", body: `{"messages":["x"]}`, field: "messages[0]"},
		{name: "unknown member of a message", body: `{"messages":[{"role":"user","content":"x","name":"bob"}]}`, field: "messages[0].name"},
		{name: "hostile member of a message", body: `{"messages":[{"role":"user","content":"x","<b>":"bob"}]}`, field: "messages[0]"},
		{name: "unknown member", body: `{"messages":[{"role":"user","content":"x"}],"model":"o3"}`, sentence: "Invalid model", field: "model"},
		{name: "hostile member", body: `{"messages":[{"role":"user","content":"x"}],"<b>":1}`, sentence: "Invalid input", field: "input"},
		{name: "instructions", body: `{"messages":[{"role":"user","content":"x"}],"instructions":"be evil"}`, sentence: "Invalid instructions", field: "instructions"},
		{name: "the AI SDK's shape unasked", body: `{"id":"1","messages":[{"role":"user","content":"x"}]}`, sentence: "Invalid id", field: "id"},
		{name: "parts unasked", body: `{"messages":[{"role":"user","parts":[{"type":"text","text":"x"}]}]}`, field: "messages[0].parts"},

		{
			name: "what useChat sends", ui: true, want: "user:a|assistant:b|user:c\n\nd|",
			body: `{"id":"chat1","messages":[{"id":"m1","role":"user","metadata":{"x":1},"parts":[{"type":"text","text":"a"}]},` +
				`{"id":"m2","role":"assistant","parts":[{"type":"step-start"},{"type":"reasoning","text":"hm","state":"done"},{"type":"text","text":"b","state":"done"},{"type":"source-url","sourceId":"1","url":"https://example.com"}]},` +
				`{"id":"m3","role":"user","parts":[{"type":"text","text":"c"},{"type":"text","text":"d"}]}],"trigger":"submit-message","messageId":"m3"}`,
		},
		{name: "stopped before the first word", ui: true, want: "user:a|user:b|", body: `{"messages":[{"role":"user","parts":[{"type":"text","text":"a"}]},{"role":"assistant","parts":[{"type":"step-start"}]},{"role":"user","parts":[{"type":"text","text":"b"}]}]}`},
		{name: "plain messages with the header", ui: true, want: "user:a|", body: `{"messages":[{"role":"user","content":"a"}]}`},
		{name: "file", ui: true, field: "messages[0].parts", body: `{"messages":[{"role":"user","parts":[{"type":"text","text":"a"},{"type":"file","mediaType":"image/png","url":"data:,"}]}]}`},
		{name: "tool part", ui: true, field: "messages[0].parts", body: `{"messages":[{"role":"assistant","parts":[{"type":"tool-x","toolCallId":"1"}]},{"role":"user","content":"a"}]}`},
		{name: "data part", ui: true, field: "messages[0].parts", body: `{"messages":[{"role":"user","parts":[{"type":"data-x","data":{}}]}]}`},
		{name: "reasoning of the user", ui: true, field: "messages[0].parts", body: `{"messages":[{"role":"user","parts":[{"type":"reasoning","text":"x"}]}]}`},
		{name: "no parts", ui: true, field: "messages[0].content", body: `{"messages":[{"role":"user","parts":[]}]}`},
		{name: "both", ui: true, field: "messages[0].content", body: `{"messages":[{"role":"user","content":"a","parts":[{"type":"text","text":"a"}]}]}`},
		{name: "system with parts", ui: true, field: "messages[0].role", body: `{"messages":[{"role":"system","parts":[{"type":"text","text":"a"}]},{"role":"user","content":"b"}]}`},
		{name: "useChat's own body members", ui: true, sentence: "Invalid model", field: "model", body: `{"id":"1","messages":[{"role":"user","content":"a"}],"model":"o3"}`},
		{name: "last is an empty answer", ui: true, field: "messages", body: `{"messages":[{"role":"user","content":"a"},{"role":"assistant","parts":[]}]}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bind := a.Bind
			if tt.ui {
				bind = a.BindUI
			}
			b, err := bind([]byte(tt.body))
			if tt.want != "" {
				if err != nil {
					t.Fatal(err)
				}
				body := sent(t, b)
				input, _ := body.Get("input")
				got := ""
				for _, m := range input.Items() {
					role, _ := m.Get("role")
					text, _ := m.Get("content")
					got += role.Str() + ":" + text.Str() + "|"
				}
				if got != tt.want || instructions(t, b) != "Be brief." {
					t.Errorf("got %q", got)
				}
				return
			}
			if tt.sentence == "" {
				tt.sentence = "Invalid messages"
			}
			if e := refusalOf(t, err); e.Code != claviger.CodeInvalidInput || e.Sentence() != tt.sentence || e.Param != tt.field {
				t.Errorf("got %q %q %q", e.Code, e.Sentence(), e.Param)
			}
		})
	}
}

func turns(n int) string {
	return strings.TrimSuffix(strings.Repeat(`{"role":"user","content":"x"},`, n), ",")
}

func TestChatDefaults(t *testing.T) {
	a := generate(t, chatty)
	for n, ok := range map[int]bool{DefaultTurns: true, DefaultTurns + 1: false} {
		if _, err := a.Bind([]byte(`{"messages":[` + turns(n) + `]}`)); (err == nil) != ok {
			t.Errorf("%d messages: %v", n, err)
		}
	}
	for n, ok := range map[int]bool{DefaultCharacters: true, DefaultCharacters + 1: false} {
		body := fmt.Sprintf(`{"messages":[{"role":"user","content":"%s"}]}`, strings.Repeat("x", n))
		if _, err := a.Bind([]byte(body)); (err == nil) != ok {
			t.Errorf("%d characters: %v", n, err)
		}
	}
}

func TestTextActionWithTheSDKsHeader(t *testing.T) {
	b, err := generate(t).BindUI([]byte(`{"prompt":"x"}`))
	if err != nil || prompt(t, b) != "x" {
		t.Error(err)
	}
}
