//go:build linux

package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"claviger.dev/claviger/bench/load"
	"claviger.dev/claviger/bench/process"
)

const module = "claviger.dev/claviger"

// workshop holds what all rounds share: binaries, the upstream, secrets.
type workshop struct {
	options
	talk  io.Writer
	dir   string // of this run, removed after it
	facts []string

	dialer   *load.Dialer
	upstream *process.Child
	target   string // the upstream's address
	witness  *load.Witness

	ticket         string // what every request carries; a real one if the gateway takes part
	ticketSecret   string
	identitySecret string
	providerKey    string
}

func newWorkshop(ctx context.Context, o options, talk io.Writer) (*workshop, error) {
	dir, err := os.MkdirTemp("", "claviger-bench-")
	if err != nil {
		return nil, fmt.Errorf("workshop: %w", err)
	}
	w := &workshop{
		options: o, talk: talk, dir: dir, dialer: &load.Dialer{},
		// Until there is a real one: as long as one, so that all carry as much.
		ticket:         strings.Repeat(rand.Text(), 12),
		ticketSecret:   rand.Text() + rand.Text(),
		identitySecret: rand.Text() + rand.Text(),
		providerKey:    "sk-" + rand.Text() + rand.Text(),
	}
	if err := w.startUpstream(ctx); err != nil {
		w.close()
		return nil, err
	}
	return w, nil
}

func (w *workshop) close() {
	if w.witness != nil {
		w.witness.Close()
	}
	if w.upstream != nil {
		w.upstream.Stop()
	}
	_ = os.RemoveAll(w.dir)
}

func (w *workshop) say(format string, args ...any) {
	_, _ = fmt.Fprintf(w.talk, format+"\n", args...)
}

func (w *workshop) path(name string) string { return filepath.Join(w.dir, name) }

// build builds a command of this module.
func (w *workshop) build(ctx context.Context, pkg, name string) (string, error) {
	bin := w.path(name)
	out, err := exec.CommandContext(ctx, "go", "build", "-o", bin, module+"/"+pkg).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build %s: %w: %s", pkg, err, firstLines(out))
	}
	return bin, nil
}

func firstLines(b []byte) string {
	s := strings.TrimSpace(string(b))
	if len(s) > 400 {
		s = s[:400] + "…"
	}
	return strings.ReplaceAll(s, "\n", "; ")
}

// env is the whole environment of a child: nothing of ours, least of all keys.
func (w *workshop) env(more ...string) []string {
	return append([]string{
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		"HOME=" + w.dir, "TMPDIR=" + w.dir, "GOMAXPROCS=" + strconv.Itoa(w.procs),
	}, more...)
}

func (w *workshop) startUpstream(ctx context.Context) error {
	bin, err := w.build(ctx, "bench/cmd/upstream", "upstream")
	if err != nil {
		return err
	}
	control := ""
	for _, addr := range []*string{&w.target, &control} {
		if *addr, err = process.FreePort(); err != nil {
			return err
		}
	}
	w.upstream, err = process.Start(ctx, process.Command{
		Name: "upstream", Path: bin, Env: w.env(),
		Args: []string{"-listen", w.target, "-control", control},
	})
	if err != nil {
		return err
	}
	w.witness = load.NewWitness(control)
	return w.upstream.Await(ctx, 10*time.Second, func(ctx context.Context) bool {
		return process.Accepts(ctx, w.target) && process.Accepts(ctx, control)
	})
}
