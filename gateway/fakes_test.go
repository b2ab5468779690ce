package gateway_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"claviger.dev/claviger"
	"claviger.dev/claviger/owner"
)

// fakeUpstream counts calls and answers by a function.
type fakeUpstream struct {
	calls atomic.Int64
	do    func(ctx context.Context, a claviger.Authorized) (*http.Response, error)
}

func (u *fakeUpstream) RoundTrip(ctx context.Context, a claviger.Authorized) (*http.Response, error) {
	u.calls.Add(1)
	if u.do != nil {
		return u.do(ctx, a)
	}
	return reply(plainAnswer(a.Call())), nil
}

const (
	chatAnswer = `{"id":"chatcmpl-1","object":"chat.completion","created":1,"model":"gpt-4.1-mini","choices":[{"index":0,` +
		`"message":{"role":"assistant","content":"Hello.","refusal":null},"logprobs":null,"finish_reason":"stop"}],` +
		`"usage":{"prompt_tokens":5,"completion_tokens":2,"total_tokens":7}}`
	responseAnswer = `{"id":"resp_1","object":"response","created_at":1,"status":"completed","error":null,"incomplete_details":null,` +
		`"model":"gpt-4.1-mini","output":[{"id":"msg_1","type":"message","status":"completed","role":"assistant","content":` +
		`[{"type":"output_text","text":"Hello.","annotations":[]}]}],"parallel_tool_calls":true,"tools":[],"tool_choice":"auto",` +
		`"usage":{"input_tokens":5,"output_tokens":2,"total_tokens":7}}`
)

func plainAnswer(c claviger.Call) string {
	if c.Endpoint == "chat.completions" {
		return chatAnswer
	}
	return responseAnswer
}

// reply is a plain answer as an Upstream gives it.
func reply(body string) *http.Response {
	return &http.Response{StatusCode: http.StatusOK, ContentLength: int64(len(body)), Body: io.NopCloser(strings.NewReader(body))}
}

// feed is the body of a stream that a test writes as it goes.
type feed struct {
	ctx    context.Context
	events chan string
	rest   string
	end    error
	closed chan struct{}
	once   sync.Once
}

func newFeed(ctx context.Context) *feed {
	return &feed{ctx: ctx, events: make(chan string, 100), closed: make(chan struct{})}
}

func (f *feed) response() *http.Response {
	return &http.Response{StatusCode: http.StatusOK, ContentLength: -1, Body: f}
}

func (f *feed) Read(p []byte) (int, error) {
	if f.rest == "" {
		select {
		case e, ok := <-f.events:
			if !ok {
				return 0, f.end
			}
			f.rest = e
		case <-f.ctx.Done():
			return 0, fmt.Errorf("ended by the caller: %w", f.ctx.Err())
		case <-f.closed:
			return 0, errors.New("closed")
		}
	}
	n := copy(p, f.rest)
	f.rest = f.rest[n:]
	return n, nil
}

func (f *feed) Close() error {
	f.once.Do(func() { close(f.closed) })
	return nil
}

// stop ends the stream after the events that were written.
func (f *feed) stop(err error) {
	f.end = err
	close(f.events)
}

func chunk(text string) string {
	return fmt.Sprintf(`data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"gpt-4.1-mini","choices":[{"index":0,"delta":{"content":%q},"logprobs":null,"finish_reason":null}]}`, text) + "\n\n"
}

const (
	chatUsage = `data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"gpt-4.1-mini","choices":[],` +
		`"usage":{"prompt_tokens":5,"completion_tokens":2,"total_tokens":7}}` + "\n\n"
	chatEnd = "data: [DONE]\n\n"
)

func delta(text string) string {
	return fmt.Sprintf(`event: response.output_text.delta`+"\n"+`data: {"type":"response.output_text.delta","item_id":"msg_1","output_index":0,"content_index":0,"delta":%q,"sequence_number":4,"logprobs":[]}`, text) + "\n\n"
}

// fakeAuthn, fakeAuthz and fakeAdmission answer by a function.
type fakeAuthn func(ctx context.Context) (claviger.Principal, error)

func (f fakeAuthn) Authenticate(ctx context.Context, _ *http.Request) (claviger.Principal, error) {
	return f(ctx)
}

type fakeAuthz func(ctx context.Context) (claviger.Decision, error)

func (f fakeAuthz) Authorize(ctx context.Context, _ claviger.Principal, _ claviger.Call) (claviger.Decision, error) {
	return f(ctx)
}

type fakeAdmission func(ctx context.Context, c []claviger.Charge) (claviger.Hold, error)

func (f fakeAdmission) Admit(ctx context.Context, c []claviger.Charge) (claviger.Hold, error) {
	return f(ctx, c)
}

// pipeListener is a network in memory, for bubbles of synctest.
type pipeListener struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func newPipeListener() *pipeListener {
	return &pipeListener{conns: make(chan net.Conn), closed: make(chan struct{})}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

func (*pipeListener) Addr() net.Addr { return pipeAddr{} }

func (l *pipeListener) dial() net.Conn {
	ours, theirs := net.Pipe()
	l.conns <- theirs
	return ours
}

type pipeAddr struct{}

func (pipeAddr) Network() string { return "pipe" }
func (pipeAddr) String() string  { return "pipe" }

// safeBuffer is a buffer for a log.
type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *safeBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *safeBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// r0 is a key of pseudonyms.
var r0 = random()

// switchable is a store of owners that can be switched off.
type switchable struct {
	owner.Store
	off atomic.Bool
}

var errOff = errors.New("the store is off")

func (s *switchable) ClaimObjects(ctx context.Context, who string, o []claviger.ObjectRef, at time.Time) error {
	if s.off.Load() {
		return errOff
	}
	return s.Store.ClaimObjects(ctx, who, o, at)
}

func (s *switchable) OwnObjects(ctx context.Context, who string, o []claviger.ObjectRef) ([]bool, int64, error) {
	if s.off.Load() {
		return nil, 0, errOff
	}
	return s.Store.OwnObjects(ctx, who, o)
}

func (s *switchable) ListObjects(ctx context.Context, who string, q claviger.ObjectQuery) (claviger.ObjectPage, error) {
	if s.off.Load() {
		return claviger.ObjectPage{}, errOff
	}
	return s.Store.ListObjects(ctx, who, q)
}
