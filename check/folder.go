package check

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"strings"

	"claviger.dev/claviger/internal/check/bundle"
	"claviger.dev/claviger/internal/check/env"
	"claviger.dev/claviger/internal/check/files"
	"claviger.dev/claviger/internal/check/githist"
	"claviger.dev/claviger/internal/check/keyscan"
	"claviger.dev/claviger/internal/check/report"
)

// folder walks through the rooms of the check.
func (s *scan) folder(ctx context.Context, temp string) error {
	dump, err := s.dump()
	if err != nil {
		return err
	}
	if s.tree, err = files.Walk(ctx, s.root, temp); err != nil {
		return err
	}
	s.root = s.tree.Root
	s.exclude()
	if s.options.Build {
		if err := s.build(ctx, dump, filepath.Join(temp, "again")); err != nil {
			return err
		}
	}
	s.problems = append(s.problems, s.tree.Problems...)
	for _, f := range s.tree.Files {
		if f.Kind != report.FileBinary {
			s.total += f.Size
		}
	}
	var problems []files.Problem
	s.env, problems = env.Load(s.tree, dump)
	s.problems = append(s.problems, problems...)
	for _, x := range s.planted {
		s.env.Canaries.Add(x.Name, x.Value, x.At)
	}
	client, err := s.analyze(ctx)
	if err != nil {
		return err
	}
	if err := s.texts(ctx, client); err != nil {
		return err
	}
	if err := s.output(ctx); err != nil {
		return err
	}
	if err := s.history(ctx); err != nil {
		return err
	}
	s.deployment()
	return errors.Join(ctx.Err(), s.progressErr)
}

// dump reads what --env-from names. Findings call it by its path from the folder.
func (s *scan) dump() (*env.Dump, error) {
	given := s.options.EnvFrom
	if given == "" {
		return nil, nil
	}
	name := filepath.ToSlash(given)
	if abs, err := filepath.Abs(given); err == nil {
		if rel, err := filepath.Rel(s.root, abs); err == nil {
			name = filepath.ToSlash(rel)
		}
	}
	return env.ReadDump(given, name)
}

// analyze lets the analysers look at the source code. One that fails makes the
// check incomplete and does not end it.
func (s *scan) analyze(ctx context.Context) (map[string][]Position, error) {
	p := &Project{Root: s.root, Files: s.tree.Files, Variables: s.env.Variables, ReadFile: s.tree.ReadFile}
	client := map[string][]Position{}
	for _, a := range s.options.Analyzers {
		c, err := a.Analyze(ctx, p, s.add)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err != nil {
			s.problem(files.Problem{Path: ".", Reason: "the source code was not analysed to its end: " + err.Error()})
		}
		for id, evidence := range c.Judged {
			if err == nil {
				s.judged[id] = evidence
			}
		}
		for id, why := range c.Open {
			s.open(id, "%s", why)
		}
		maps.Copy(client, c.Client)
	}
	return client, nil
}

// texts looks for keys in all texts, and then judges the environment by where
// its variables are read.
func (s *scan) texts(ctx context.Context, client map[string][]Position) error {
	res, err := keyscan.Scan(ctx, keyscan.Options{
		Tree: s.tree, Values: s.env.Canaries, Client: client, Report: s.add, Problem: s.problem, Progress: s.progress,
	})
	if err != nil {
		return err
	}
	s.files += res.Files
	s.env.Judge(ctx, s.tree, &res.Reads, s.add)
	return nil
}

// output looks into what a build made.
func (s *scan) output(ctx context.Context) error {
	res, err := bundle.Scan(ctx, bundle.Options{Tree: s.tree, Values: s.env.Canaries, Report: s.add, Problem: s.problem, Progress: s.progress})
	if err != nil {
		return err
	}
	s.files += res.Delivered + res.Server
	if res.Delivered > 0 {
		s.judged["M-C2"] = fmt.Sprintf("%s that browsers get and %d that stay on the server hold no key, and none of %s of the project's variables.",
			plural(res.Delivered, "file"), res.Server, plural(s.env.Canaries.Len(), "secret value"))
	}
	return nil
}

// history looks through the git history of a whole work tree.
func (s *scan) history(ctx context.Context) error {
	switch {
	case !s.options.History:
		s.open("M-C7", "The git history was left out.")
	case s.tree.NoGit:
		s.problem(files.Problem{Path: ".", Reason: "git is not installed, so that neither the history nor what is ignored is known"})
	case s.tree.Repo == nil:
		s.open("M-C7", "This folder is in no git repository, so that there is no history to look through.")
	case !s.tree.Top:
		s.open("M-C7", "This folder is not the top of its git repository: check that for the history.")
	default:
		return s.repository(ctx)
	}
	return nil
}

func (s *scan) repository(ctx context.Context) error {
	res, err := githist.Scan(ctx, githist.Options{
		Repo: s.tree.Repo, Values: s.env.Canaries, Tracked: s.tree.Tracked, Report: s.add, Problem: s.problem, Progress: s.progress,
	})
	if err == nil {
		s.remembered(ctx, res)
	} else {
		s.problem(files.Problem{Path: ".git", Reason: "the history could not be read: " + err.Error()})
	}
	return ctx.Err()
}

// remembered answers M-C7 by what was looked through.
func (s *scan) remembered(ctx context.Context, res *githist.Result) {
	s.judged["M-C7"] = fmt.Sprintf("%d commits and %d texts of the history (%.1f MB) hold no key.", res.Commits, res.Blobs, float64(res.Bytes)/1e6)
	if res.Commits == 0 {
		s.open("M-C7", "The repository has no commit yet.")
	}
	ignored, err := s.tree.WouldIgnore(ctx, ".env.local")
	switch {
	case err != nil:
		s.open("M-C7", "The history holds no key, but git could not say whether it ignores .env.local.")
	case ignored[".env.local"]:
		s.judged["M-C7"] += " git ignores .env.local."
	default:
		s.open("M-C7", "The history holds no key, but git would not ignore .env.local if there were one.")
	}
}

// deployment answers M-C1, which only the variables of a deployment can.
func (s *scan) deployment() {
	switch keys := s.env.ServerKeys(); {
	case s.env.Deployment() == "":
		s.open("M-C1", "The deployment's variables are not known here: --env-from FILE takes them from 'vercel env pull', compose or Kubernetes.")
	case len(keys) == 0:
		s.open("M-C1", "%s sets no key of a provider on the server; it may come from a secret store.", s.env.Deployment())
	default:
		s.judged["M-C1"] = fmt.Sprintf("%s sets %s without a public prefix, and no secret with one.", s.env.Deployment(), strings.Join(keys, ", "))
	}
}
