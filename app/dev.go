package app

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"claviger.dev/claviger/config"
	"claviger.dev/claviger/internal/dotenv"
)

type devCommand struct {
	configFlag
	Command []string `arg:"" optional:"" passthrough:"" help:"The app's own dev command, as -- next dev."`
}

// Run serves in development, with the app's own command beside it. Both end
// together, and the exit code is the command's.
func (c devCommand) Run(ctx context.Context, env Environment) error {
	command := c.Command
	if len(command) > 0 && command[0] == "--" {
		command = command[1:]
	}
	src := locate(env, c.Config)
	src.development = true
	s, err := newRunning(ctx, env, src)
	if err != nil {
		return err
	}
	if err := loopbackOnly(s.installed().config.Listen); err != nil {
		s.abandon()
		return badUsage(fmt.Errorf("dev is for this machine alone: listen on 127.0.0.1, not on %s", s.installed().config.Listen))
	}
	s.both = true
	d := &development{running: s, command: command, heard: map[string]bool{}}
	return d.run(ctx)
}

// abandon closes what newRunning opened, where nothing is to be served.
func (s *running) abandon() {
	s.gateway.Close()
	s.blocks.Close()
	_ = s.limits.close()
	_ = s.installed().storage.Close()
}

// development is a gateway with the app's command beside it.
type development struct {
	*running
	command []string

	mu sync.Mutex
	// heard are the origins that were told of.
	heard map[string]bool
}

func (d *development) run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	told := d.env.Opened
	ready := make(chan string, 1)
	public := ""
	d.env.Opened = func(name, addr string) {
		if told != nil {
			told(name, addr)
		}
		if name == "public" {
			public = addr
		} else {
			ready <- public
		}
	}
	ended := make(chan error, 1)
	go func() { ended <- d.running.run(ctx, d.watchOrigins(d.public())) }()
	select {
	case err := <-ended:
		return err
	case addr := <-ready:
		return d.serving(ctx, cancel, localURL(addr), ended)
	}
}

// serving has the gateway's URL, and runs the command until one of both ends.
func (d *development) serving(ctx context.Context, cancel context.CancelFunc, url string, ended chan error) error {
	fmt.Fprintf(d.env.Stdout, "Claviger: %s (ends with Ctrl-C)\n", url)
	if d.installed().devUser != nil {
		fmt.Fprintf(d.env.Stdout, "Sign in by a click: %s%s\n", url, devUserPath)
	}
	for _, n := range d.advice(url) {
		d.log.Warn(n)
	}
	if len(d.command) == 0 {
		return <-ended
	}
	child := &childProcess{argv: d.command, dir: d.env.Dir, vars: d.childVars(url), env: d.env}
	if err := child.start(); err != nil {
		cancel()
		err = errors.Join(err, <-ended)
		return &exitError{code: exitNotFound, err: fmt.Errorf("%s cannot be started: %w", d.command[0], err)}
	}
	select {
	case code := <-child.ended(ctx):
		cancel()
		if err := <-ended; err != nil && code == exitOK {
			return err
		}
		return exitedWith(code)
	case err := <-ended:
		// A signal ended the gateway, or it failed; the command has had the
		// signal too.
		code := child.stop()
		if err != nil {
			return err
		}
		return exitedWith(code)
	}
}

// exitNotFound is what a shell says of a command that is not there.
const exitNotFound = 127

// localURL is the address that works in a browser, whichever family of
// addresses localhost is there.
func localURL(addr string) string {
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		return "http://" + addr
	}
	return "http://localhost:" + port
}

// providerVariables are the variables that hold keys of the provider, and the
// key of pseudonyms: the gateway's alone.
func (d *development) providerVariables() []string {
	var names []string
	for _, r := range d.installed().config.Refs() {
		if name, ok := strings.CutPrefix(string(r.Ref), "env:"); ok && (strings.HasPrefix(r.Path, "upstream.") || r.Path == "identity_key") {
			names = append(names, name)
		}
	}
	return append(names, "OPENAI_API_KEY")
}

// childVars is the environment of the app: this process's, without keys of the
// provider under whatever name, and with the gateway's address. A name that the
// app would read in its own .env files is set to nothing, which comes before
// them.
func (d *development) childVars(url string) []string {
	names := d.providerVariables()
	mine, _ := d.installed().sources.Variables()
	theirs := d.appVariables()
	var values []string
	for _, n := range names {
		for _, v := range []string{mine[n].Value, theirs[n].Value, lookupOr(d.env, n)} {
			if len(v) >= 8 && !slices.Contains(values, v) {
				values = append(values, v)
			}
		}
	}
	var out []string
	address := false
	for _, kv := range d.env.Vars {
		name, value, _ := strings.Cut(kv, "=")
		if slices.Contains(names, name) || slices.Contains(values, value) {
			continue
		}
		address = address || name == "CLAVIGER_URL"
		out = append(out, kv)
	}
	for name, v := range theirs {
		if slices.Contains(names, name) || slices.Contains(values, v.Value) {
			out = append(out, name+"=")
		}
	}
	if !address {
		out = append(out, "CLAVIGER_URL="+url)
	}
	return out
}

func lookupOr(env Environment, name string) string {
	v, _ := env.Lookup(name)
	return v
}

// appVariables are those that the app reads for itself, in the folder where its
// command runs. That process has no key of the provider, so its files count for
// these.
func (d *development) appVariables() map[string]dotenv.Var {
	names := slices.DeleteFunc(dotenv.Names("development"), func(n string) bool { return n == dotenv.Private })
	files, err := dotenv.Read(d.env.Dir, names)
	if err != nil {
		return nil
	}
	kept := d.providerVariables()
	vars, err := dotenv.Load(files, func(name string) (string, bool) {
		if slices.Contains(kept, name) {
			return "", false
		}
		return d.env.Lookup(name)
	})
	if err != nil {
		return nil
	}
	return vars
}

// advice is what is wrong before anything happened.
func (d *development) advice(url string) []string {
	var out []string
	theirs := d.appVariables()
	for _, n := range d.providerVariables() {
		if v, ok := theirs[n]; ok && v.Value != "" {
			out = append(out, fmt.Sprintf("%s stands in %s, where the app reads it too: move the line to %s; the app gets it empty from here",
				n, v.File, dotenv.Private))
		}
	}
	out = append(out, d.differing(theirs)...)
	if stale := staleRewrite(filepath.Join(d.env.Dir, ".next", "routes-manifest.json"), url, d.command); stale != "" {
		out = append(out, stale)
	}
	return slices.Compact(out)
}

// differing names the secrets of sessions that the app reads with another
// value. Nothing of the values is told.
func (d *development) differing(theirs map[string]dotenv.Var) []string {
	var out []string
	mine, _ := d.installed().sources.Variables()
	for _, r := range d.installed().config.Refs() {
		name, ok := strings.CutPrefix(string(r.Ref), "env:")
		if !ok || !ofSessions(d.installed().config, r.Path) {
			continue
		}
		if _, shared := d.env.Lookup(name); shared || mine[name].Value == theirs[name].Value {
			continue
		}
		out = append(out, fmt.Sprintf("%s is not the same for the app and the gateway, so nobody's session can be read: "+
			"the gateway takes it from %s; keep it in .env.local alone, which both read", name, mine[name].File))
	}
	return out
}

// ofSessions reports whether a reference is a secret that the app seals its
// sessions with.
func ofSessions(cfg *config.Config, path string) bool {
	for i, a := range cfg.Auth {
		if (a.AuthJS != nil || a.BetterAuth != nil || a.IronSession != nil) && strings.HasPrefix(path, fmt.Sprintf("auth[%d].", i)) {
			return true
		}
	}
	return false
}

// mostOrigins is how many pages are told of.
const mostOrigins = 8

// watchOrigins tells, once for each, of pages of this machine that call the
// gateway and are not listed.
func (d *development) watchOrigins(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if o := r.Header.Get("Origin"); o != "" && r.URL.Path != devUserPath {
			d.hearOrigin(o, r.Host)
		}
		next.ServeHTTP(w, r)
	})
}

func (d *development) hearOrigin(origin, host string) {
	_, from, ok := strings.Cut(origin, "://")
	if !ok || from == host || d.installed().snapshot.Origins.Allowed(origin) || loopbackOnly(from) != nil {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.heard[origin] || len(d.heard) >= mostOrigins {
		return
	}
	d.heard[origin] = true
	d.log.Warn("a page of " + origin + " calls, which is not in origins: add it to the configuration, as origins: [" + origin + "]")
}
