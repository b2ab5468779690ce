package app

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"claviger.dev/claviger"
	"claviger.dev/claviger/authn/authjs"
	"claviger.dev/claviger/demo"
	"claviger.dev/claviger/keys"
	"claviger.dev/claviger/openaitest"
)

//go:embed demo.yaml
var demoConfig string

type demoCommand struct {
	configFlag
	Listen      string `help:"Where the page listens; loopback alone." default:"127.0.0.1:8787" placeholder:"ADDRESS"`
	AdminListen string `help:"Where health and metrics listen." default:"127.0.0.1:8788" placeholder:"ADDRESS"`
}

const demoCap = "1 USD"

// demoUsers are the two people of the demo.
func demoUsers() []demo.User {
	return []demo.User{
		{ID: "ada", Name: "Ada", Plan: "free", About: "Free plan: the small model, five requests a minute."},
		{ID: "grace", Name: "Grace", Plan: "pro", About: "Pro plan: both models, thirty requests a minute."},
	}
}

// Run serves the demo until SIGINT. The configuration is the demo's own.
func (c demoCommand) Run(ctx context.Context, env Environment) error {
	if c.Config != "" {
		return badUsage(errors.New("the demo brings its own configuration; run 'claviger serve' with yours"))
	}
	if err := loopbackOnly(c.Listen, c.AdminListen); err != nil {
		return badUsage(err)
	}
	dir, err := os.MkdirTemp("", "claviger-demo-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	key, known := env.Lookup("OPENAI_API_KEY")
	simulated := !known || strings.TrimSpace(key) == ""
	vars, stop, err := c.variables(env, simulated)
	if err != nil {
		return err
	}
	defer stop()
	env.Vars, env.Dir = vars, dir
	text := strings.ReplaceAll(demoConfig, "ADDRESS", c.Listen)
	s, err := newRunning(ctx, env, source{path: filepath.Join(dir, "demo.yaml"), text: []byte(text)})
	if err != nil {
		return err
	}
	page, err := demo.New(demo.Options{
		Gateway: s.gateway, Sessions: demoSessions{s}, Users: demoUsers(), Simulated: simulated, Cap: demoCap,
		Models: []string{"gpt-4.1-mini", "gpt-4.1"},
	})
	if err != nil {
		return err
	}
	announce(s.log, simulated)
	opened := env.Opened
	s.env.Opened = func(name, addr string) {
		if name == "public" {
			fmt.Fprintf(env.Stdout, "Claviger demo: http://%s (ends with Ctrl-C)\n", addr)
		}
		if opened != nil {
			opened(name, addr)
		}
	}
	return s.run(ctx, hostChecked(s, page))
}

// hostChecked hands requests for foreign hosts to the gateway, which refuses
// them: the demo's own pages too are for this machine's names alone.
func hostChecked(s *running, page http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !s.installed().snapshot.Hosts.Allowed(r.Host) {
			s.gateway.ServeHTTP(w, r)
			return
		}
		page.ServeHTTP(w, r)
	})
}

func announce(log *slog.Logger, simulated bool) {
	if simulated {
		log.Warn("OPENAI_API_KEY is not set: the simulated OpenAI answers")
	} else {
		log.Warn("OPENAI_API_KEY is set: answers come from OpenAI and cost money, at most " + demoCap)
	}
}

// variables are the environment of the demo: its own secrets, made for this
// run, and the simulated OpenAI where there is no key.
func (c demoCommand) variables(env Environment, simulated bool) (vars []string, stop func(), err error) {
	for _, kv := range env.Vars {
		if name, _, _ := strings.Cut(kv, "="); !strings.HasPrefix(name, "CLAVIGER_") || name == "CLAVIGER_LOG" {
			vars = append(vars, kv)
		}
	}
	vars = append(vars, "CLAVIGER_LISTEN="+c.Listen, "CLAVIGER_ADMIN_LISTEN="+c.AdminListen)
	for _, name := range []string{"DEMO_SESSION_SECRET", "DEMO_TICKET_SECRET", "DEMO_IDENTITY_KEY"} {
		s, err := keys.Generate()
		if err != nil {
			return nil, nil, err
		}
		vars = append(vars, name+"="+s)
	}
	if !simulated {
		return vars, func() {}, nil
	}
	key, err := keys.Generate()
	if err != nil {
		return nil, nil, err
	}
	key = "sk-demo-" + key
	url, stop, err := simulate(key)
	if err != nil {
		return nil, nil, err
	}
	return append(vars, "OPENAI_API_KEY="+key, "CLAVIGER_UPSTREAM="+url), stop, nil
}

// simulate runs the simulated OpenAI on loopback.
func simulate(key string) (url string, stop func(), err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // nothing to cancel: loopback
	if err != nil {
		return "", nil, fmt.Errorf("the simulated OpenAI cannot listen: %w", err)
	}
	sim := openaitest.New(openaitest.Options{Keys: []string{key}, Delta: 40 * time.Millisecond, PromptFaults: true, KeepCalls: 16})
	server := &http.Server{Handler: sim, ReadHeaderTimeout: standardBounds().headers}
	go func() { _ = server.Serve(l) }()
	return "http://" + l.Addr().String() + "/v1", func() { _ = server.Close() }, nil
}

func loopbackOnly(addrs ...string) error {
	for _, a := range addrs {
		host, _, err := net.SplitHostPort(a)
		if err != nil {
			return fmt.Errorf("%q is no address and port, as 127.0.0.1:8787", a)
		}
		if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
			return fmt.Errorf("the demo signs in anybody with a click, so it listens on loopback alone, not on %s", a)
		}
	}
	return nil
}

// demoSessions makes sessions as Auth.js would, with the demo's secret.
type demoSessions struct{ running *running }

// SignIn implements demo.Sessions.
func (d demoSessions) SignIn(_ context.Context, u demo.User) ([]*http.Cookie, error) {
	_, cookies, err := d.authenticator().Issue(claviger.Claims{"sub": u.ID, "name": u.Name, "plan": u.Plan}, 12*time.Hour)
	return cookies, err
}

// SignedIn implements demo.Sessions.
func (d demoSessions) SignedIn(r *http.Request) string {
	p, err := d.authenticator().Authenticate(r.Context(), r)
	if err != nil {
		return ""
	}
	return p.Subject
}

func (d demoSessions) authenticator() *authjs.Authenticator { return d.running.installed().sessions }
