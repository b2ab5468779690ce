//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"time"

	"claviger.dev/claviger/bench/process"
)

// The names of what is measured, as the report's columns have them.
const (
	direct   = "direct"
	nginx    = "nginx"
	bare     = "bare Go"
	claviger = "claviger"
)

// candidate is a program to be measured. Each round starts it anew.
type candidate struct {
	name string
	// missing says why it does not take part.
	missing error
	// plan returns what to start, and what tells that it is ready, for one round.
	plan func(ctx context.Context) (plan, error)
}

type plan struct {
	command process.Command
	addr    string // where it serves
	ready   func(context.Context) bool
}

// subject is a candidate that runs.
type subject struct {
	name  string
	addr  string
	child *process.Child // nil: the upstream itself
}

func (w *workshop) candidates(ctx context.Context) []candidate {
	all := []candidate{w.nginx(ctx), w.bare(ctx), w.gateway(ctx)}
	for _, c := range all {
		if c.missing != nil {
			w.say("\n*** %s IS LEFT OUT: %v\n", strings.ToUpper(c.name), c.missing)
		}
	}
	return all
}

var errNoNginx = errors.New("nginx is not installed; on Debian and Ubuntu: apt-get install nginx-light")

func (w *workshop) nginx(ctx context.Context) candidate {
	c := candidate{name: nginx}
	bin, err := exec.LookPath("nginx")
	if err != nil {
		bin = "/usr/sbin/nginx" // not in everyone's PATH
		if _, err := os.Stat(bin); err != nil {
			c.missing = errNoNginx
			return c
		}
	}
	if out, err := exec.CommandContext(ctx, bin, "-v").CombinedOutput(); err == nil {
		w.facts = append(w.facts, strings.TrimSpace(string(out))+fmt.Sprintf(", %d workers", w.procs))
	}
	c.plan = func(context.Context) (plan, error) {
		addr, err := process.FreePort()
		if err != nil {
			return plan{}, err
		}
		conf := w.path("nginx.conf")
		if err := os.WriteFile(conf, []byte(w.nginxConfig(addr)), 0o600); err != nil {
			return plan{}, fmt.Errorf("nginx: %w", err)
		}
		return plan{
			command: process.Command{Name: nginx, Path: bin, Env: w.env(), Args: []string{"-p", w.dir, "-c", conf, "-e", "stderr"}},
			addr:    addr,
			ready:   func(ctx context.Context) bool { return process.Accepts(ctx, addr) },
		}, nil
	}
	return c
}

func (w *workshop) bare(ctx context.Context) candidate {
	c := candidate{name: bare}
	bin, err := w.build(ctx, "bench/cmd/reverse", "reverse")
	if err != nil {
		c.missing = err
		return c
	}
	c.plan = func(context.Context) (plan, error) {
		addr, err := process.FreePort()
		return plan{
			command: process.Command{Name: bare, Path: bin, Env: w.env(), Args: []string{"-listen", addr, "-target", "http://" + w.target}},
			addr:    addr,
			ready:   func(ctx context.Context) bool { return process.Accepts(ctx, addr) },
		}, err
	}
	return c
}

func (w *workshop) gateway(ctx context.Context) candidate {
	c := candidate{name: claviger}
	bin := w.claviger
	if bin == "" {
		if bin, c.missing = w.build(ctx, "cmd/claviger", "claviger"); c.missing != nil {
			return c
		}
	}
	if c.missing = w.mint(ctx, bin); c.missing != nil {
		return c
	}
	client := &http.Client{Timeout: time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	c.plan = func(context.Context) (plan, error) {
		addr, admin, conf, err := w.writeGatewayConfig()
		return plan{
			command: process.Command{Name: claviger, Path: bin, Dir: w.dir, Env: w.gatewayEnv(), Args: []string{"serve", "--config", conf}},
			addr:    addr,
			ready: func(ctx context.Context) bool {
				return get(ctx, client, "http://"+admin+"/readyz") == http.StatusOK
			},
		}, err
	}
	return c
}

// mint makes the ticket that every request carries.
func (w *workshop) mint(ctx context.Context, bin string) error {
	_, _, conf, err := w.writeGatewayConfig()
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, bin, "token", "mint", "--sub", "bench", "--ttl", "24h", "--config", conf)
	cmd.Env, cmd.Dir = w.gatewayEnv(), w.dir
	var said strings.Builder
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("token mint: %w: %s", err, firstLines([]byte(said.String())))
	}
	w.ticket = strings.TrimSpace(string(out))
	if w.ticket == "" || strings.ContainsAny(w.ticket, " \r\n") {
		return errNoTicket
	}
	return nil
}

var errNoTicket = errors.New("token mint printed something else than a ticket")

// get returns the status of an answer, 0 when there is none.
func get(ctx context.Context, client *http.Client, url string) int {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0
	}
	resp, err := client.Do(req)
	if err != nil {
		return 0
	}
	_ = resp.Body.Close()
	return resp.StatusCode
}
