package app

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"claviger.dev/claviger"
	"claviger.dev/claviger/internal/jsonx"
	"claviger.dev/claviger/keys"
	"claviger.dev/claviger/openaitest"
)

// patience bounds every wait of these tests. It decides nothing but how long a
// broken one takes.
const patience = 20 * time.Second

// site is a folder with a configuration, secrets that were made for the test,
// and the simulated OpenAI.
type site struct {
	t   *testing.T
	dir string
	sim *openaitest.Server
	// key is the provider's; ticketSecret, serviceKey and identity are ours.
	key, ticketSecret, serviceKey, identity string
	vars                                    map[string]string
	bounds                                  *bounds
	watch                                   func(claviger.Admission) claviger.Admission
	// transports are those of all processes, which share one look for leaks.
	transports []*http.Transport
}

const siteConfig = `environment: development
listen: 127.0.0.1:0
admin: {listen: 127.0.0.1:0}
identity_key: env:IDENTITY_KEY
auth:
  - ticket: {secrets: [env:TICKET_SECRET]}
  - service: {keys: [{name: web, secret: env:SERVICE_KEY, claims: [plan]}]}
plans:
  - name: all
    models: [gpt-4.1-mini]
    limits: {requests: 1000/min, spend: 100 USD/day}
actions:
  tidy:
    path: /api/ai/generate
    model: gpt-4.1-mini
    instructions: Correct the text.
    input:
      type: object
      required: [prompt]
      additionalProperties: false
      properties: {prompt: {type: string, minLength: 1, maxLength: 2000}}
proxy: {endpoints: [responses, chat.completions]}
`

// newSite makes a site with everything in order.
func newSite(t *testing.T) *site {
	t.Helper()
	s := &site{t: t, dir: t.TempDir(), key: canaryKey(), vars: map[string]string{}}
	for _, into := range []*string{&s.ticketSecret, &s.serviceKey, &s.identity} {
		v, err := keys.Generate()
		if err != nil {
			t.Fatal(err)
		}
		*into = v
	}
	s.sim = openaitest.NewServer(t, openaitest.Options{Keys: []string{s.key}, PromptFaults: true})
	s.vars["CLAVIGER_UPSTREAM"] = s.sim.URL
	s.vars["OPENAI_API_KEY"] = s.key
	s.vars["TICKET_SECRET"], s.vars["SERVICE_KEY"], s.vars["IDENTITY_KEY"] = s.ticketSecret, s.serviceKey, s.identity
	s.write("claviger.yaml", siteConfig)
	return s
}

// secrets are all values that must be seen nowhere.
func (s *site) secrets() map[string]string {
	return map[string]string{"the provider's key": s.key, "the ticket secret": s.ticketSecret, "the service key": s.serviceKey, "the identity key": s.identity}
}

func (s *site) path(name string) string { return filepath.Join(s.dir, name) }

// write puts a file in place in one step, as editors do.
func (s *site) write(name, text string) {
	s.t.Helper()
	tmp := s.path("." + name + ".new")
	if err := os.WriteFile(tmp, []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
	if err := os.Rename(tmp, s.path(name)); err != nil {
		s.t.Fatal(err)
	}
}

func (s *site) environment(out, errs io.Writer) Environment {
	env := Environment{Stdin: strings.NewReader(""), Stdout: out, Stderr: errs, Dir: s.dir, bounds: s.bounds, watch: s.watch}
	for name, value := range s.vars {
		env.Vars = append(env.Vars, name+"="+value)
	}
	return env
}

// command runs a command to its end.
func (s *site) command(args ...string) (code int, out, errs string) {
	s.t.Helper()
	var o, e output
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	code = Main(ctx, args, s.environment(&o, &e))
	return code, o.String(), e.String()
}

// output is a buffer that may be read while it is written.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// process is a command that serves, in this process.
type process struct {
	*site
	public, admin string
	out, errs     *output
	client        *http.Client
	cancel        context.CancelFunc
	code          chan int
}

// live are the processes that were started and have not ended.
var live atomic.Int32

// start runs a command until the test ends, when it has to end with 0 and to
// leave nothing behind.
func (s *site) start(args ...string) *process {
	s.t.Helper()
	before := goleak.IgnoreCurrent()
	live.Add(1)
	ctx, cancel := context.WithCancel(context.Background())
	transport := &http.Transport{}
	p := &process{
		site: s, out: &output{}, errs: &output{}, cancel: cancel, code: make(chan int, 1),
		client: &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
	}
	opened := make(chan [2]string, 2)
	env := s.environment(p.out, p.errs)
	env.Opened = func(name, addr string) { opened <- [2]string{name, addr} }
	go func() { p.code <- Main(ctx, args, env) }()
	s.transports = append(s.transports, transport)
	s.t.Cleanup(func() {
		for _, tr := range s.transports {
			tr.CloseIdleConnections()
		}
		if code := p.stop(); code != 0 {
			s.t.Errorf("exit code %d, want 0", code)
		}
		// The last to end is the first that was started: what is left then is
		// left by one of them. Before, the others are still busy.
		if live.Add(-1) == 0 {
			goleak.VerifyNone(s.t, before)
		}
		if s.t.Failed() {
			s.t.Logf("stdout:\n%s\nstderr:\n%s", p.out, p.errs)
		}
	})
	for range 2 {
		select {
		case o := <-opened:
			if o[0] == "public" {
				p.public = "http://" + o[1]
			} else {
				p.admin = "http://" + o[1]
			}
		case code := <-p.code:
			p.code <- code
			s.t.Fatalf("ended with %d before it listened:\n%s", code, p.errs)
		case <-time.After(patience):
			s.t.Fatal("does not listen")
		}
	}
	return p
}

// stop ends the process and gives its exit code. It may be called again.
func (p *process) stop() int {
	p.cancel()
	select {
	case code := <-p.code:
		p.code <- code
		return code
	case <-time.After(2 * patience):
		p.t.Error("does not end")
		return -1
	}
}

// reply is an answer that was read whole.
type reply struct {
	*http.Response
	body string
}

func (p *process) do(req *http.Request) reply {
	p.t.Helper()
	resp, err := p.client.Do(req)
	if err != nil {
		p.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	return reply{resp, string(body)}
}

func (p *process) get(url string) reply {
	p.t.Helper()
	req, err := http.NewRequestWithContext(p.t.Context(), http.MethodGet, url, nil)
	if err != nil {
		p.t.Fatal(err)
	}
	return p.do(req)
}

func (p *process) request(path, bearer, body string) *http.Request {
	p.t.Helper()
	req, err := http.NewRequestWithContext(p.t.Context(), http.MethodPost, p.public+path, strings.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	if bearer != "" {
		req.Header.Set("Authorization", "Bearer "+bearer)
	}
	return req
}

func (p *process) post(path, bearer, body string) reply {
	p.t.Helper()
	return p.do(p.request(path, bearer, body))
}

// generate runs the action.
func (p *process) generate(bearer string) reply {
	p.t.Helper()
	return p.post("/api/ai/generate", bearer, `{"prompt":"teh cat"}`)
}

// ticket mints a ticket by the command.
func (s *site) ticket(args ...string) string {
	s.t.Helper()
	code, out, errs := s.command(append([]string{"token", "mint", "--sub", "ada"}, args...)...)
	if code != 0 {
		s.t.Fatalf("token mint: exit %d: %s", code, errs)
	}
	return strings.TrimSpace(out)
}

// ready asks readyz: its status, its word, and its reasons in one text.
func (p *process) ready() (status int, word, reasons string) {
	p.t.Helper()
	r := p.get(p.admin + "/readyz")
	v, err := jsonx.Parse([]byte(r.body))
	if err != nil {
		p.t.Fatalf("readyz is no JSON: %q", r.body)
	}
	w, _ := v.Get("status")
	list, _ := v.Get("reasons")
	var all []string
	for _, e := range list.Elems() {
		all = append(all, e.Str())
	}
	return r.StatusCode, w.Str(), strings.Join(all, "\n")
}

// until waits for a condition to hold.
func (p *process) until(what string, holds func() bool) {
	p.t.Helper()
	deadline := time.Now().Add(patience)
	for !holds() {
		if time.Now().After(deadline) {
			p.t.Fatalf("never: %s\nstderr:\n%s", what, p.errs)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// untilReady waits for a status and a word of readyz.
func (p *process) untilReady(status int, word string) {
	p.t.Helper()
	p.until(fmt.Sprintf("readyz %d %s", status, word), func() bool {
		s, w, _ := p.ready()
		return s == status && w == word
	})
}
