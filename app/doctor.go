package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
)

type doctorCommand struct {
	configFlag
	Format  string `help:"text or json." enum:"text,json" default:"text"`
	Offline bool   `help:"Ask nobody outside: neither the provider nor the issuers of tokens."`
}

// The states of a diagnosis, from good to bad.
const (
	healthy = "ok"
	worth   = "warn"
	wrong   = "fail"
)

// diagnosis is one thing that was looked at.
type diagnosis struct {
	// Check names what was looked at, State is ok, warn or fail, and Fix what to
	// do about it, where that is known.
	Check   string `json:"check"`
	State   string `json:"state"`
	Message string `json:"message"`
	Fix     string `json:"fix,omitzero"`
}

// report of a doctor, as it is printed.
type doctorReport struct {
	Version int         `json:"version"`
	State   string      `json:"state"`
	Checks  []diagnosis `json:"checks"`
}

// doctor looks at an installation and changes nothing of it.
type doctor struct {
	env     Environment
	src     source
	offline bool
	in      *installation
	found   []diagnosis
}

func (d *doctor) add(check, state, message, fix string) {
	d.found = append(d.found, diagnosis{check, state, message, fix})
}

func (d *doctor) ok(check, format string, args ...any) {
	d.add(check, healthy, fmt.Sprintf(format, args...), "")
}

// Run looks at everything and says what it found. The exit code is 0 when
// nothing is wrong, 1 when something is, and 2 when the configuration is.
func (c doctorCommand) Run(ctx context.Context, env Environment) error {
	d := &doctor{env: env, src: locate(env, c.Config), offline: c.Offline}
	bad := d.examine(ctx)
	r := doctorReport{Version: 1, State: healthy, Checks: d.found}
	count := map[string]int{}
	for _, f := range d.found {
		count[f.State]++
	}
	switch {
	case count[wrong] > 0:
		r.State = wrong
	case count[worth] > 0:
		r.State = worth
	}
	var err error
	if c.Format == "json" {
		err = writeJSON(env.Stdout, r)
	} else {
		err = writeDiagnoses(env.Stdout, d.found)
	}
	switch {
	case err != nil:
		return err
	case bad:
		return badUsage(errors.New("the configuration is not good, and what depends on it was not looked at"))
	case count[wrong] > 0:
		return &exitError{code: exitRefused, err: fmt.Errorf("things that are wrong: %d", count[wrong])}
	}
	return nil
}

// writeDiagnoses writes one line for each, and what to do below it.
func writeDiagnoses(w io.Writer, list []diagnosis) error {
	for _, f := range list {
		line := fmt.Sprintf("%-4s  %-14s  %s\n", f.State, f.Check, indented(f.Message))
		if f.Fix != "" {
			line += fmt.Sprintf("%22s  → %s\n", "", indented(f.Fix))
		}
		if _, err := io.WriteString(w, line); err != nil {
			return err
		}
	}
	return nil
}

// indented keeps further lines of a text below the first.
func indented(s string) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	for i := range lines {
		lines[i] = printable(lines[i])
	}
	return strings.Join(lines, "\n"+strings.Repeat(" ", 24))
}

// examine looks at one thing after another. bad says that the configuration is
// not good enough to go on.
func (d *doctor) examine(ctx context.Context) (bad bool) {
	in, err := newInstallation(ctx, d.env, d.src, quiet())
	if err != nil {
		for _, e := range flatten(problemsOf(err)) {
			message, fix, _ := strings.Cut(e.Error(), "\n")
			d.add("configuration", wrong, message, strings.TrimSpace(fix))
		}
		return true
	}
	d.in = in
	defer closeIdle(in.idlers)
	defer func() { _ = in.storage.Close() }()
	d.ok("configuration", "%s is good, for %s", d.src.path, in.config.Environment)
	for _, n := range in.notes {
		message, fix, _ := strings.Cut(n, "\n")
		d.add("configuration", worth, message, strings.TrimSpace(fix))
	}
	d.keys()
	d.files()
	d.certificate()
	d.proxies()
	d.database(ctx)
	d.limits(ctx)
	if d.offline {
		d.ok("network", "nobody outside was asked (--offline)")
	} else {
		d.issuers(ctx)
		d.provider(ctx)
	}
	d.gateway(ctx)
	return false
}
