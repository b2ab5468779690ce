package app

import (
	"fmt"
	"path/filepath"

	"claviger.dev/claviger/internal/scaffold"
)

type initCommand struct {
	configFlag
	Path   string `arg:"" optional:"" help:"The app's folder (default: here)."`
	DryRun bool   `help:"Change nothing; print what would change as a unified difference."`
	Force  bool   `help:"Replace files that are there already."`
}

// Run puts the gateway into a Next.js app.
func (c initCommand) Run(env Environment) error {
	dir := env.Dir
	if c.Path != "" {
		dir = env.path(c.Path)
	}
	project, err := scaffold.Look(dir)
	if err != nil {
		return badUsage(fmt.Errorf("%s: %w", env.shown(dir), err))
	}
	set, err := scaffold.Plan(project, c.Force)
	if err != nil {
		return badUsage(err)
	}
	fmt.Fprintf(env.Stderr, "A Next.js app with its pages in %s; people sign in with: %s.\n", project.App, project.SignIn.Kind)
	if c.DryRun {
		for _, change := range set.Changes {
			if _, err := env.Stdout.Write(change.Diff()); err != nil {
				return err
			}
		}
		c.kept(env, set)
		return nil
	}
	if err := set.Apply(dir); err != nil {
		return badUsage(err)
	}
	c.tell(env, &project, set)
	return nil
}

// kept says what would have been written over files of the user's.
func (c initCommand) kept(env Environment, set *scaffold.Set) {
	for _, k := range set.Kept {
		fmt.Fprintf(env.Stderr, "%s is there and stays as it is; --force would make it:\n", k.Path)
		_, _ = env.Stderr.Write(k.Diff())
	}
}

func (c initCommand) tell(env Environment, p *scaffold.Project, set *scaffold.Set) {
	for _, change := range set.Changes {
		what := "changed"
		if change.Old == nil {
			what = "wrote"
		}
		fmt.Fprintf(env.Stderr, "%s %s\n", what, change.Path)
	}
	if len(set.Changes) == 0 {
		fmt.Fprintln(env.Stderr, "Everything is there already; nothing was changed.")
	}
	if set.Moved {
		fmt.Fprintln(env.Stderr, "OPENAI_API_KEY is in .env.claviger.local now, which the app does not read.")
	}
	c.kept(env, set)
	for _, n := range set.Notes {
		fmt.Fprintln(env.Stderr, "note:", n)
	}
	key := "Put your OpenAI key into .env.claviger.local, as OPENAI_API_KEY=…"
	if set.Moved {
		key = "Replace your OpenAI key at the provider if .env.local was ever committed or shared"
	}
	start := "claviger dev -- " + p.Run("dev")
	if c.Path != "" {
		start = "cd " + filepath.ToSlash(c.Path) + " && " + start
	}
	page := "http://localhost:3000/claviger"
	if p.SignIn.Kind == scaffold.Nobody {
		page += ", signed in by a click at http://localhost:8787" + devUserPath
	}
	fmt.Fprintf(env.Stdout, "Next:\n  1. %s\n  2. %s\n  3. %s   and open %s\n", p.Add("@claviger/next @claviger/client"), key, start, page)
}
