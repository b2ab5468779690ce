// Package rules judges the source of a project: which handlers reach a
// provider and what stands before them, what reaches browsers, and where
// secrets go. It follows code from graph and flow; names of a project's own
// functions, files or variables decide nothing by themselves.
package rules

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"sync"

	"claviger.dev/claviger/internal/check/facts"
	"claviger.dev/claviger/internal/check/flow"
	"claviger.dev/claviger/internal/check/graph"
	"claviger.dev/claviger/internal/check/report"
	"claviger.dev/claviger/internal/check/worker"
)

// Analyzer looks at source code. The zero value parses in the running binary,
// started anew as a worker.
type Analyzer struct {
	// Worker is how the parser's processes are started.
	Worker worker.Options
	// whole parses all files first, also those that the sieve would leave out.
	whole bool
}

var _ report.Analyzer = (*Analyzer)(nil)

// project is what one analysis knows.
type project struct {
	ctx      context.Context
	root     *report.Project
	resolver *graph.Resolver
	files    []string
	texts    map[string]string
	specs    map[string][]string
	trees    map[string]*facts.Node
	tried    map[string]bool
	pool     *worker.Pool
	client   map[string]step
	findings []report.Finding
	seen     map[string]bool
	used     map[string]bool // modules that another one imports
	matter   map[string]bool
	close    map[string]bool     // reads a secret, or imports what does
	back     map[string][]string // the importers of a file
	before   []string            // what may run before handlers: middlewares and hooks
	stats    stats
	calls    map[*facts.Node]bool // the places on the server that call a provider
	held     []flow.Event         // clients of providers in code for browsers that nothing there has called yet
	failed   error                // why parsing cannot go on
}

// step is how a file came into a browser.
type step struct {
	from string
	node *facts.Node
}

type stats struct {
	handlers, guarded int // ways in, and those that reach a provider
	weary             bool
}

var extensions = map[string]bool{
	".ts": true, ".tsx": true, ".js": true, ".jsx": true, ".mts": true, ".cts": true, ".mjs": true, ".cjs": true,
	".vue": true, ".svelte": true, ".astro": true,
}

// Analyze implements report.Analyzer.
func (a *Analyzer) Analyze(ctx context.Context, p *report.Project, tell func(report.Finding)) (_ report.Coverage, err error) {
	defer func() {
		if r := recover(); r != nil { // a mistake of ours in one project must not hide what the other rooms found
			err = fmt.Errorf("a mistake of the check ended it: %v", r)
		}
	}()
	pool, err := worker.New(a.Worker)
	if err != nil {
		return report.Coverage{}, err
	}
	defer pool.Close()
	pr := &project{ctx: ctx, root: p, pool: pool, tried: map[string]bool{}, texts: map[string]string{}, specs: map[string][]string{}, trees: map[string]*facts.Node{}, client: map[string]step{}, seen: map[string]bool{}, used: map[string]bool{}, calls: map[*facts.Node]bool{}}
	if err := pr.load(); err != nil {
		return report.Coverage{}, err
	}
	chosen := pr.sieve()
	if a.whole {
		chosen = slices.DeleteFunc(slices.Clone(pr.files), func(f string) bool { return pr.texts[f] == "" })
	}
	if err := pr.parse(chosen); err != nil {
		return report.Coverage{}, err
	}
	pr.matters()
	pr.browsers()
	err = errors.Join(pr.judge(), pr.failed)
	slices.SortStableFunc(pr.findings, func(a, b report.Finding) int {
		if c := strings.Compare(a.At.File, b.At.File); c != 0 {
			return c
		}
		return a.At.Line - b.At.Line
	})
	for _, f := range pr.findings {
		tell(f)
	}
	return pr.coverage(), err
}

// load reads what is code.
func (p *project) load() error {
	var all []string
	for _, f := range p.root.Files {
		if f.Kind == report.FileBuild || f.Kind == report.FilePublic || f.Kind == report.FileBinary {
			continue
		}
		all = append(all, f.Path)
		if f.Test || !extensions[path.Ext(f.Path)] || strings.HasSuffix(f.Path, ".d.ts") || strings.Contains(f.Path, ".min.") {
			continue
		}
		p.files = append(p.files, f.Path)
	}
	p.resolver = graph.NewResolver(all, p.root.ReadFile)
	for _, f := range p.files {
		if err := p.ctx.Err(); err != nil {
			return err
		}
		text, err := p.root.ReadFile(f)
		if err != nil {
			continue // the check reports what it cannot read
		}
		p.texts[f] = text
		p.specs[f] = graph.Specifiers(text)
	}
	return nil
}

// parse reads files on all workers.
func (p *project) parse(files []string) error {
	todo := make(chan string)
	var mu sync.Mutex
	var fatal error
	var wg sync.WaitGroup
	for range p.pool.Size() {
		wg.Go(func() {
			for f := range todo {
				root, err := p.pool.Parse(p.ctx, f, p.texts[f])
				mu.Lock()
				var start *worker.StartError
				switch {
				case err == nil:
					p.trees[f] = root
				case errors.As(err, &start) || p.ctx.Err() != nil:
					fatal = errors.Join(fatal, err)
				default:
					p.unparsed(f, err)
				}
				mu.Unlock()
			}
		})
	}
	for _, f := range files {
		p.tried[f] = true
		todo <- f
	}
	close(todo)
	wg.Wait()
	if fatal != nil {
		return fmt.Errorf("the source could not be parsed: %w", fatal)
	}
	return nil
}

func (p *project) unparsed(file string, err error) {
	p.add(report.Finding{
		Rule: "parse-failed", Severity: report.SeverityInfo, Confidence: report.ConfidenceCertain,
		Message: "This file could not be parsed (" + err.Error() + "), so nothing is known about it.",
		At:      report.Position{File: file},
	})
}

// hot are the words without which a file has nothing for any rule.
var hot = []string{
	"process.env", "import.meta.env", "openai", "OpenAI", "@ai-sdk", "'ai'", "\"ai\"", "langchain", "nthropic", "use server", "server-only", "apiKey", "enerative", "groq-sdk", "mistralai",
	"'replicate'", "\"replicate\"", "openrouter", "together-ai", "api.together", "huggingface", "createEnv", "publicRuntimeConfig", "$env/", "api.groq", "api.mistral", "api.deepseek", "api.cohere", "api.x.ai",
	"} = process", "Deno.env", "runtimeConfig", "/completions", "cohere-ai", "llamaindex", "@google/genai", "@fal-ai", "portkey",
}

// sieve chooses the files that can matter: those with a word that a rule knows,
// all from which one of them is reached, and all that those reach.
func (p *project) sieve() []string {
	back := map[string][]string{}
	out := map[string][]string{}
	need := map[string]bool{}
	var todo []string
	for _, f := range p.files {
		for _, s := range p.specs[f] {
			if t, ok := p.resolver.Resolve(f, s); ok {
				back[t] = append(back[t], f)
				out[f] = append(out[f], t)
			}
		}
		text := p.texts[f]
		if slices.ContainsFunc(hot, func(w string) bool { return strings.Contains(text, w) }) {
			need[f] = true
			todo = append(todo, f)
		}
	}
	spread := func(edges map[string][]string, todo []string) {
		for len(todo) > 0 {
			f := todo[len(todo)-1]
			todo = todo[:len(todo)-1]
			for _, g := range edges[f] {
				if !need[g] && p.texts[g] != "" {
					need[g] = true
					todo = append(todo, g)
				}
			}
		}
	}
	spread(back, todo)
	p.back = back
	// What handlers call on the way may be a guard.
	todo = nil
	for f := range need {
		if role, _ := p.resolver.RoleOf(f); role != graph.RoleNone && role != graph.RolePage && role != graph.RolePagesPage || strings.Contains(p.texts[f], "use server") || strings.Contains(p.texts[f], "rocedure") || strings.Contains(p.texts[f], "express") || strings.Contains(p.texts[f], "hono") {
			todo = append(todo, f)
		}
	}
	for _, f := range p.files {
		role, _ := p.resolver.RoleOf(f)
		if role == graph.RoleMiddleware || role == graph.RoleConfig {
			need[f] = true
			todo = append(todo, f)
		}
		if role == graph.RoleMiddleware || hooks.MatchString(f) {
			p.before = append(p.before, f)
		}
	}
	spread(out, todo)
	var files []string
	for _, f := range p.files {
		if need[f] && p.texts[f] != "" {
			files = append(files, f)
		}
	}
	return files
}

// Module implements flow.Project. What the sieve left out and a walk comes to
// after all is parsed then.
func (p *project) Module(file string) *facts.Node {
	if t := p.trees[file]; t != nil || p.tried[file] || p.texts[file] == "" {
		return t
	}
	if err := p.parse([]string{file}); err != nil {
		p.failed = err
	}
	return p.trees[file]
}

// Resolve implements flow.Project.
func (p *project) Resolve(from, spec string) (string, bool) {
	if spec == "ai" || flow.IsClient(spec) {
		return "", false // what it does is known, also where its source lies in the same workspace
	}
	f, ok := p.resolver.Resolve(from, spec)
	if !ok || !extensions[path.Ext(f)] {
		return "", false
	}
	return f, true
}

var _ flow.Project = (*project)(nil)

// add keeps a finding, once for a place.
func (p *project) add(f report.Finding) {
	key := fmt.Sprint(f.Rule, "\x00", f.At.File, "\x00", f.At.Line)
	if p.seen[key] {
		return
	}
	p.seen[key] = true
	m := meta(f.Rule)
	if f.Mission == "" {
		f.Mission = m.Mission
	}
	if f.Fix == "" {
		f.Fix = m.Fix
	}
	p.findings = append(p.findings, f)
}

func at(pl flow.Place, note string) report.Position {
	if pl.Module == nil || pl.Node == nil {
		return report.Position{Note: note}
	}
	return report.Position{File: pl.Module.File, Line: int(pl.Node.Line), Column: int(pl.Node.Col), Note: note}
}

// coverage says what was looked at. Where there was nothing to judge, a point
// stays open: nothing that reaches a provider is no proof of a guard.
func (p *project) coverage() report.Coverage {
	c := report.Coverage{Files: len(p.texts), Client: map[string][]report.Position{}, Judged: map[string]string{}, Open: map[string]string{}}
	for f := range p.client {
		c.Client[f] = p.way(f)
	}
	if len(p.texts) == 0 {
		return c
	}
	judge := func(id, whole, text string) {
		if p.stats.weary && whole != "" {
			c.Open[id] = whole
			return
		}
		c.Judged[id] = text
	}
	const part = "Nothing was found, but the project is too large to follow every component and every function in it."
	read := fmt.Sprintf("%d files of code were read, and %d of them reach browsers", len(p.texts), len(p.client))
	if len(p.calls) == 0 {
		c.Open["M-C3"] = read + ". No call of a provider was found in them, so there is nothing to judge."
		none := fmt.Sprintf("There is nothing to judge: %d ways in were followed, and none of them reaches a provider.", p.stats.handlers)
		c.Open["M-C4"], c.Open["M-C5"] = none, none
	} else {
		judge("M-C3", part, fmt.Sprintf("%s; none of these calls a provider. %d calls stand on the server.", read, len(p.calls)))
		if p.stats.guarded == 0 {
			none := "Calls of a provider were found, and no way in that leads to one, so there is nothing to judge."
			c.Open["M-C4"], c.Open["M-C5"] = none, none
		} else {
			c.Judged["M-C4"] = fmt.Sprintf("%d ways in were followed. %d of them reach a provider, and each asks who it is and how often.", p.stats.handlers, p.stats.guarded)
			c.Judged["M-C5"] = fmt.Sprintf("What callers send was followed through %d ways in that reach a provider.", p.stats.guarded)
		}
	}
	judge("M-C6", part, read+"; what they write to logs and to reporters of errors was followed.")
	judge("M-C8", part, read+"; props, answers, parameters and caches were followed.")
	return c
}
