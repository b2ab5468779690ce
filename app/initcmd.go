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
	fmt.Fprintln(env.Stdout, "Next:")
	for i, step := range c.steps(env, p, set.Moved) {
		fmt.Fprintf(env.Stdout, "  %d. %s\n", i+1, step)
	}
}

// steps are what is left to do by hand.
func (c initCommand) steps(env Environment, p *scaffold.Project, moved bool) []string {
	command, packages := "claviger", []string{"@claviger/next", "@claviger/client"}
	// Every package manager says so to what it starts.
	if _, started := env.Lookup("npm_config_user_agent"); started || p.HasCommand() {
		command, packages = p.Program("claviger"), append(packages, scaffold.Command)
	}
	key := "Put your OpenAI key into .env.claviger.local, as OPENAI_API_KEY=…"
	if moved {
		key = "Replace your OpenAI key at the provider if .env.local was ever committed or shared"
	}
	start := command + " dev -- " + p.Run("dev")
	if c.Path != "" {
		start = "cd " + filepath.ToSlash(c.Path) + " && " + start
	}
	steps := []string{key, start, "Open http://localhost:3000/claviger"}
	if add := p.Add(packages...); add != "" {
		steps = append([]string{add}, steps...)
	}
	if p.SignIn.Kind == scaffold.Nobody {
		steps[len(steps)-1] += ", whose first line signs you in by a click"
	} else {
		steps[len(steps)-1] += ", signed in as in your app"
	}
	return steps
}
