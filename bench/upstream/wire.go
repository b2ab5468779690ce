package upstream

import (
	"fmt"
	"strings"
)

// What is sent is made once, down to the byte, headers and chunks included.

const (
	answered  = "gpt-4.1-mini-2025-04-14"
	created   = 1764000000
	plainHead = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nX-Request-Id: req_bench\r\nContent-Length: "
	// streamHead says by Connection what becomes of the connection after it.
	streamHead = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\nCache-Control: no-cache\r\n" +
		"X-Request-Id: req_bench\r\nTransfer-Encoding: chunked\r\n"
	lastChunk = "0\r\n\r\n"
)

// stream is a stream as it goes over the wire.
type stream struct {
	chunks [][]byte // one HTTP chunk for each event; then "[DONE]" where there is one, and the end
	whole  []byte   // headers and all chunks
}

// wires holds everything that the upstream ever says with status 200.
type wires struct {
	plain   map[Endpoint][]byte
	streams map[Endpoint]stream
	usage   stream // chat, for who asked for the usage
}

func newWires() *wires {
	return &wires{
		plain: map[Endpoint][]byte{Chat: plain(chatAnswer()), Responses: plain(responsesAnswer())},
		streams: map[Endpoint]stream{
			Chat:      newStream(chatEvents(false)),
			Responses: newStream(responsesEvents()),
		},
		usage: newStream(chatEvents(true)),
	}
}

func (w *wires) stream(e Endpoint, usage bool) stream {
	if e == Chat && usage {
		return w.usage
	}
	return w.streams[e]
}

func plain(body string) []byte {
	return fmt.Appendf(nil, "%s%d\r\n\r\n%s", plainHead, len(body), body)
}

func newStream(events []string) stream {
	var s stream
	s.whole = append(s.whole, streamHead+"\r\n"...)
	for _, e := range events {
		s.chunks = append(s.chunks, fmt.Appendf(nil, "%x\r\n%s\r\n", len(e), e))
	}
	s.chunks = append(s.chunks, []byte(lastChunk))
	for _, c := range s.chunks {
		s.whole = append(s.whole, c...)
	}
	return s
}

const chatUsage = `{"prompt_tokens":160,"completion_tokens":198,"total_tokens":358,` +
	`"prompt_tokens_details":{"cached_tokens":0,"audio_tokens":0},` +
	`"completion_tokens_details":{"reasoning_tokens":0,"audio_tokens":0,"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}}`

func chatAnswer() string {
	return fmt.Sprintf(`{"id":"chatcmpl-Bench0000000000000000000000","object":"chat.completion","created":%d,"model":%q,`+
		`"choices":[{"index":0,"message":{"role":"assistant","content":%q,"refusal":null,"annotations":[]},"logprobs":null,"finish_reason":"stop"}],`+
		`"usage":%s,"service_tier":"default","system_fingerprint":"fp_0123456789"}`,
		created, answered, text(60), chatUsage)
}

func chatEvents(usage bool) []string {
	const head = `data: {"id":"chatcmpl-Bench0000000000000000000000","object":"chat.completion.chunk","created":%d,"model":%q,` +
		`"service_tier":"default","system_fingerprint":"fp_0123456789","choices":[%s]%s}` + "\n\n"
	tail := ""
	if usage {
		tail = `,"usage":null`
	}
	chunk := func(delta, finish string) string {
		return fmt.Sprintf(head, created, answered,
			`{"index":0,"delta":`+delta+`,"logprobs":null,"finish_reason":`+finish+`}`, tail)
	}
	events := []string{chunk(`{"role":"assistant","content":"","refusal":null}`, "null")}
	for i := range Events - 2 {
		events = append(events, chunk(fmt.Sprintf(`{"content":%q}`, word(i)), "null"))
	}
	events = append(events, chunk(`{}`, `"stop"`))
	if usage {
		events = append(events, fmt.Sprintf(head, created, answered, "", `,"usage":`+chatUsage))
	}
	return append(events, "data: [DONE]\n\n")
}

const itemID = "msg_bench00000000000000000000000000000000"

func responsesAnswer() string {
	return responsesObject("completed", "["+responsesItem("completed", outputText(text(40)))+"]",
		`{"input_tokens":160,"input_tokens_details":{"cached_tokens":0,"cache_write_tokens":0},"output_tokens":192,`+
			`"output_tokens_details":{"reasoning_tokens":0},"total_tokens":352}`)
}

func responsesObject(status, output, usage string) string {
	return fmt.Sprintf(`{"id":"resp_bench00000000000000000000000000000000","object":"response","created_at":%d,"status":%q,"background":false,`+
		`"error":null,"incomplete_details":null,"instructions":null,"max_output_tokens":512,"model":%q,"output":%s,`+
		`"parallel_tool_calls":true,"previous_response_id":null,"reasoning":{"effort":null,"summary":null},"service_tier":"default",`+
		`"store":false,"temperature":1.0,"text":{"format":{"type":"text"}},"tool_choice":"auto","tools":[],"top_p":1.0,`+
		`"truncation":"disabled","usage":%s,"metadata":{}}`, created, status, answered, output, usage)
}

func responsesItem(status, content string) string {
	return fmt.Sprintf(`{"id":%q,"type":"message","status":%q,"role":"assistant","content":[%s]}`, itemID, status, content)
}

func outputText(s string) string {
	return fmt.Sprintf(`{"type":"output_text","annotations":[],"logprobs":[],"text":%q}`, s)
}

// responsesEvents has four events before the deltas and four after them.
func responsesEvents() []string {
	const deltas = Events - 8
	at := fmt.Sprintf(`"item_id":%q,"output_index":0,"content_index":0`, itemID)
	n := 0
	var events []string
	add := func(kind, members string) {
		events = append(events, fmt.Sprintf("event: %s\ndata: {\"type\":%q,\"sequence_number\":%d,%s}\n\n", kind, kind, n, members))
		n++
	}
	begun := responsesObject("in_progress", "[]", "null")
	add("response.created", `"response":`+begun)
	add("response.in_progress", `"response":`+begun)
	add("response.output_item.added", `"output_index":0,"item":`+responsesItem("in_progress", ""))
	add("response.content_part.added", at+`,"part":`+outputText(""))
	for i := range deltas {
		add("response.output_text.delta", at+fmt.Sprintf(`,"delta":%q,"logprobs":[]`, word(i)))
	}
	full := text(deltas)
	item := responsesItem("completed", outputText(full))
	add("response.output_text.done", at+fmt.Sprintf(`,"text":%q,"logprobs":[]`, full))
	add("response.content_part.done", at+`,"part":`+outputText(full))
	add("response.output_item.done", `"output_index":0,"item":`+item)
	add("response.completed", `"response":`+responsesObject("completed", "["+item+"]",
		fmt.Sprintf(`{"input_tokens":160,"input_tokens_details":{"cached_tokens":0,"cache_write_tokens":0},"output_tokens":%d,`+
			`"output_tokens_details":{"reasoning_tokens":0},"total_tokens":%d}`, deltas, 160+deltas)))
	return events
}

func word(i int) string {
	words := [...]string{"A", " gate", " keeps", " what", " it", " is", " given", " and", " lets", " through", " what", " it", " may"}
	return words[i%len(words)]
}

func text(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(word(i))
	}
	return b.String()
}
