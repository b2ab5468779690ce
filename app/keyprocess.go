package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"

	"claviger.dev/claviger"
	"claviger.dev/claviger/config"
	"claviger.dev/claviger/internal/jsonx"
	"claviger.dev/claviger/internal/netx"
	"claviger.dev/claviger/redact"
	"claviger.dev/claviger/upstream"
)

// gatewayArg makes this program the gateway's process beside a key process,
// which is its parent and gave it one end of a line as gatewayLine.
const (
	gatewayArg          = "__gateway"
	gatewayLine uintptr = 3
	// keysHost is the host of requests that are for the key process itself.
	keysHost      = "keys.invalid"
	keysPath      = "/keys"
	separateKeys  = "separate"
	headerInUse   = "Claviger-In-Use"
	mostHeldBytes = 1 << 20
)

// processes refuses a key process where there can be none.
func processes(c *config.Config) []config.Problem {
	if c.Upstream.KeyProcess != separateKeys || keyProcessHere {
		return nil
	}
	return []config.Problem{c.Problem("upstream.key_process", "a process of its own for the keys needs Linux", "take the key away, or run the gateway on Linux")}
}

// heldKeys is what the key process tells the gateway about its keys, none of
// which is in it.
type heldKeys struct {
	Keys []heldKey `json:"keys"`
	// Files are what a change of may change a key.
	Files    []string `json:"files"`
	Warnings []string `json:"warnings"`
	// Problem is why the keys were not read anew.
	Problem string `json:"problem,omitempty"`
}

type heldKey struct {
	Ref         claviger.Ref `json:"ref"`
	Fingerprint string       `json:"fingerprint,omitempty"`
	Problem     string       `json:"problem,omitempty"`
}

// keyProcess is the process that has the provider's keys, and speaks with the
// provider. It reads nothing that a caller wrote but to pass it on.
type keyProcess struct {
	env    Environment
	src    source
	log    *slog.Logger
	output *logOutput
	// first is the configuration of the start, which decides for good where keys go
	// and what is run to read them.
	first  *config.Config
	holder *upstream.Holder
	held   atomic.Pointer[upstream.HeldKeys]
}

// runKeyProcess makes this process the key process, and starts the gateway as a
// child, without the keys. It ends with the child, and with its code.
func runKeyProcess(ctx context.Context, env Environment, src source) error {
	if err := hardenKeyProcess(); err != nil {
		return &exitError{code: exitRefused, err: fmt.Errorf("the key process cannot be closed to others: %w", err)}
	}
	p := &keyProcess{env: env, src: src}
	p.held.Store(&upstream.HeldKeys{})
	p.log, p.output = newLogger(env.Stderr, func() *redact.Tripwire { return p.held.Load().Trip })
	slog.SetDefault(p.log)
	cfg, err := src.load(env)
	if err != nil {
		return err
	}
	p.first = cfg
	p.output.set(cfg.Log)
	u := cfg.Upstream
	p.holder, err = upstream.NewHolder(upstream.Options{
		BaseURL: u.BaseURL, KeyHeader: u.KeyHeader, Connect: u.Timeouts.Connect, InsecureHTTP: u.InsecureHTTP, Logger: p.log, Version: version(),
	})
	if err != nil {
		return badUsage(err)
	}
	defer p.holder.CloseIdle()
	p.read(ctx, nil)
	line, theirs, err := netx.HandedPair()
	if err != nil {
		return err
	}
	defer func() { _ = line.Close() }()
	child, err := p.startGateway(theirs)
	_ = theirs.Close()
	if err != nil {
		return fmt.Errorf("the gateway's process cannot be started: %w", err)
	}
	confined, err := confineKeyProcess(cfg, filepath.Dir(src.path))
	if err != nil {
		child.stop()
		return fmt.Errorf("the key process cannot be confined: %w", err)
	}
	p.log.Info("the keys are in a process of their own", "key_process", os.Getpid(), "gateway", child.cmd.Process.Pid, "landlock", confined)
	server := upstream.HolderServer(p, p.log)
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = server.Serve(netx.NewHandedListener(line))
	}()
	code := <-child.ended(ctx)
	_ = server.Close()
	<-served
	return exitedWith(code)
}

// startGateway starts the gateway with this process's files and arguments, and
// with an environment that has none of the keys.
func (p *keyProcess) startGateway(line *os.File) (*childProcess, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	c := &childProcess{
		path: self, argv: []string{os.Args[0], gatewayArg, "serve", "--config", p.src.path}, dir: p.env.Dir, vars: p.cleared(), env: p.env,
		files: []*os.File{line}, patient: true,
	}
	return c, c.start()
}

// cleared is the environment without every variable that is referred to as a key
// or holds one.
func (p *keyProcess) cleared() []string {
	trip := p.held.Load().Trip
	return slices.DeleteFunc(slices.Clone(p.env.Vars), func(v string) bool {
		name, _, _ := strings.Cut(v, "=")
		referred := slices.ContainsFunc(p.first.Upstream.Keys, func(k config.UpstreamKey) bool { return k.Ref == claviger.Ref("env:"+name) })
		return referred || trip.ContainsString(v)
	})
}

// read reads the keys anew. Those that are in use stay until another reading.
func (p *keyProcess) read(ctx context.Context, inUse []string) heldKeys {
	u, err := readKeys(ctx, p.env, p.src)
	if err == nil {
		err = p.fixed(u.cfg)
	}
	if err != nil {
		return heldKeys{Problem: err.Error()}
	}
	next := &upstream.HeldKeys{Keys: map[string]claviger.Secret{}}
	for id, s := range p.held.Load().Keys {
		if slices.Contains(inUse, id) {
			next.Keys[id] = s
		}
	}
	told := heldKeys{Keys: []heldKey{}}
	for _, k := range u.list {
		h := heldKey{Ref: k.Ref, Fingerprint: k.Secret.Fingerprint()}
		if k.Err != nil {
			h.Problem = k.Err.Error()
		} else {
			next.Keys[h.Fingerprint] = k.Secret
		}
		told.Keys = append(told.Keys, h)
	}
	var all []claviger.Secret
	for _, s := range next.Keys {
		all = append(all, s)
	}
	next.Trip = redact.NewTripwire(all)
	p.held.Store(next)
	p.holder.SetKeys(next)
	p.output.set(u.cfg.Log)
	told.Files, told.Warnings = u.sources.Files(), u.sources.Warnings()
	return told
}

// fixed refuses a configuration that would send keys elsewhere or run something
// else, since the file may have been changed by the gateway's process.
func (p *keyProcess) fixed(cfg *config.Config) error {
	a, b := p.first.Upstream, cfg.Upstream
	if a.BaseURL != b.BaseURL || a.KeyHeader != b.KeyHeader || a.InsecureHTTP != b.InsecureHTTP {
		return errors.New("upstream.base_url, key_header or insecure_http has changed, which takes a restart where the keys have a process of their own")
	}
	for _, k := range b.Keys {
		known := slices.ContainsFunc(a.Keys, func(o config.UpstreamKey) bool { return o.Ref == k.Ref })
		if !known && strings.HasPrefix(string(k.Ref), "command:") {
			return errors.New("upstream.keys has a new command, which takes a restart where the keys have a process of their own")
		}
	}
	return nil
}

// ServeHTTP implements http.Handler, for the gateway's process.
func (p *keyProcess) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Host != keysHost {
		p.holder.ServeHTTP(w, r)
		return
	}
	if r.Method != http.MethodGet || r.URL.Path != keysPath {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	b, err := jsonx.Marshal(p.read(r.Context(), strings.Fields(r.Header.Get(headerInUse))))
	if err != nil {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(b)
}

// startsKeyProcess reports whether serve is to be a key process and a gateway.
func startsKeyProcess(env Environment, src source) (bool, error) {
	if env.keys != nil {
		return false, nil
	}
	cfg, err := src.load(env)
	if err != nil {
		return false, err
	}
	return cfg.Upstream.KeyProcess == separateKeys, nil
}

// find, for a command that is this program itself, needs no search.
func (c *childProcess) program() (string, error) {
	if c.path != "" {
		return exec.LookPath(c.path)
	}
	return c.find()
}

// passedOn are the signals that go on to the command.
func (c *childProcess) passedOn() []os.Signal {
	list := []os.Signal{syscall.SIGINT, syscall.SIGTERM}
	if c.patient {
		list = append(list, syscall.SIGHUP)
	}
	return list
}
