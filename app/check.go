package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"claviger.dev/claviger/check"
	"claviger.dev/claviger/config"
)

// exitIncomplete says that something could not be judged, and that nothing was
// found in the rest.
const exitIncomplete = 3

type checkCommand struct {
	configFlag
	Target   string `arg:"" optional:"" name:"PATH|URL" default:"." help:"A project folder, a build output, or the URL of a deployed site."`
	Format   string `help:"text, json, sarif, markdown or github." enum:"text,json,sarif,markdown,github" default:"text"`
	Build    bool   `help:"Run the project's own build with invented values in its secret variables, and find where they come out. This executes code of the project."`
	History  bool   `help:"Look through the git history too (--history=false leaves it out)." default:"true" negatable:""`
	EnvFrom  string `help:"Variables of a deployment: what 'vercel env pull' writes, a compose file, Kubernetes YAML." placeholder:"FILE"`
	Fix      bool   `help:"Mend what needs no judgement, as a missing line in .gitignore, and check again."`
	FailOn   string `help:"The least severity that makes the exit code 1: critical, high, medium, low or info." enum:"critical,high,medium,low,info" default:"high"`
	Baseline string `help:"Findings that are known: what an earlier --format json printed." placeholder:"FILE"`
}

// Run checks, and exits with 1 when something grave enough was found, with 3 when
// something could not be judged.
func (c checkCommand) Run(ctx context.Context, env Environment) error {
	o, err := c.options(env)
	if err != nil {
		return badUsage(err)
	}
	if c.Fix && !check.IsURL(o.Target) {
		if err := c.fix(ctx, env, o); err != nil {
			return badUsage(err)
		}
	}
	failOn, err := check.ParseSeverity(c.FailOn)
	if err != nil {
		return badUsage(err)
	}
	out, err := check.NewReporter(c.Format, env.Stdout, colours(env))
	if err != nil {
		return badUsage(err)
	}
	w := &watched{Reporter: out, failOn: failOn, line: progressLine(env)}
	err = check.Scan(ctx, o, w)
	w.line.clear()
	if err != nil {
		return badUsage(err)
	}
	switch {
	case w.failing > 0:
		return &exitError{code: exitRefused, err: fmt.Errorf("%d findings of severity %s or above", w.failing, failOn)}
	case !w.summary.Complete:
		return &exitError{code: exitIncomplete, err: errors.New("not everything could be looked at")}
	}
	return nil
}

func (c checkCommand) options(env Environment) (check.Options, error) {
	o := check.Options{
		Target: c.Target, Version: version(), Analyzers: check.Standard(), History: c.History, Build: c.Build, BuildEnv: env.Vars,
		BuildLog: func(line string) { fmt.Fprintln(env.Stderr, line) }, Now: time.Now(),
	}
	if !check.IsURL(o.Target) {
		o.Target = inDir(env, o.Target)
	}
	if c.EnvFrom != "" {
		o.EnvFrom = inDir(env, c.EnvFrom)
	}
	if err := c.settings(env, &o); err != nil {
		return o, err
	}
	if c.Baseline != "" {
		known, err := check.ReadBaseline(inDir(env, c.Baseline))
		if err != nil {
			return o, fmt.Errorf("reading the baseline %s: %w", c.Baseline, err)
		}
		o.Baseline = known
	}
	return o, nil
}

// settings takes what the configuration says about the check: the file that was
// named, or claviger.yaml in the folder that is checked.
func (c checkCommand) settings(env Environment, o *check.Options) error {
	file := c.Config
	if file == "" {
		file = filepath.Join(o.Target, "claviger.yaml")
	} else {
		file = inDir(env, file)
	}
	if check.IsURL(o.Target) {
		return nil
	}
	data, err := os.ReadFile(file)
	switch {
	case errors.Is(err, fs.ErrNotExist) && c.Config == "", err != nil && notFolder(o.Target):
		return nil // the scan says what is wrong with the folder
	case err != nil:
		return err
	}
	said, err := config.LoadChecking(file, data)
	if err != nil {
		return err
	}
	o.Exclude = said.Exclude
	for _, a := range said.Accept {
		o.Accept = append(o.Accept, check.Acceptance{Rule: a.Rule, Path: a.Path, Until: a.Until, Reason: a.Reason})
	}
	if said.Baseline == "" || c.Baseline != "" {
		return nil
	}
	if o.Baseline, err = check.ReadBaseline(filepath.Join(filepath.Dir(file), filepath.FromSlash(said.Baseline))); err != nil {
		return fmt.Errorf("reading the baseline %s: %w", said.Baseline, err)
	}
	return nil
}

func notFolder(path string) bool {
	info, err := os.Stat(path)
	return err != nil || !info.IsDir()
}

func inDir(env Environment, path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(env.Dir, path)
}

// fix scans once in silence and makes the edits that its findings offer.
func (c checkCommand) fix(ctx context.Context, env Environment, o check.Options) error {
	o.History, o.Build = false, false
	var w watched
	if err := check.Scan(ctx, o, &w); err != nil {
		return err
	}
	changed, err := check.Apply(o.Target, w.summary.Edits)
	for _, file := range changed {
		fmt.Fprintf(env.Stderr, "changed %q\n", file)
	}
	return err
}

// watched counts what decides about the exit code, and shows progress.
type watched struct {
	check.Reporter
	failOn  check.Severity
	failing int
	summary check.Summary
	line    *progress
}

// Start implements check.Reporter.
func (w *watched) Start(c check.Config) error {
	if w.Reporter == nil {
		return nil
	}
	return w.Reporter.Start(c)
}

// Progress implements check.Reporter.
func (w *watched) Progress(done, total int64) error {
	w.line.show(done, total)
	return nil
}

// Finding implements check.Reporter.
func (w *watched) Finding(f check.Finding) error {
	if f.Severity >= w.failOn && f.Rule != "scan-incomplete" && f.Rule != "parse-failed" {
		w.failing++
	}
	if w.Reporter == nil {
		return nil
	}
	return w.Reporter.Finding(f)
}

// Close implements check.Reporter.
func (w *watched) Close(s check.Summary) error {
	w.summary = s
	w.line.clear()
	if w.Reporter == nil {
		return nil
	}
	return w.Reporter.Close(s)
}

// colours reports whether stdout is a terminal that wants colours.
func colours(env Environment) bool {
	if v, _ := env.Lookup("NO_COLOR"); v != "" {
		return false
	}
	if term, _ := env.Lookup("TERM"); term == "dumb" {
		return false
	}
	return terminal(env.Stdout)
}

func terminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// progress is a line on a terminal; nil shows nothing.
type progress struct {
	w     io.Writer
	next  time.Time
	shown bool
}

func progressLine(env Environment) *progress {
	if !terminal(env.Stderr) {
		return nil
	}
	return &progress{w: env.Stderr}
}

func (p *progress) show(done, total int64) {
	if p == nil || time.Now().Before(p.next) {
		return
	}
	p.next, p.shown = time.Now().Add(100*time.Millisecond), true
	if total > 0 {
		fmt.Fprintf(p.w, "\rchecking: %d of %d MiB", done>>20, total>>20)
	} else {
		fmt.Fprintf(p.w, "\rchecking: %d MiB", done>>20)
	}
}

func (p *progress) clear() {
	if p != nil && p.shown {
		fmt.Fprint(p.w, "\r\x1b[K")
		p.shown = false
	}
}
