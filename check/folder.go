package check

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"claviger.dev/claviger/internal/check/env"
	"claviger.dev/claviger/internal/check/files"
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
	s.problems = append(s.problems, s.tree.Problems...)
	for _, f := range s.tree.Files {
		if f.Kind != report.FileBinary {
			s.total += f.Size
		}
	}
	var problems []files.Problem
	s.env, problems = env.Load(s.tree, dump)
	s.problems = append(s.problems, problems...)
	client, err := s.analyze(ctx)
	if err != nil {
		return err
	}
	if err := s.texts(ctx, client); err != nil {
		return err
	}
	s.deployment()
	return errors.Join(ctx.Err(), s.progressErr)
}

// dump reads what --env-from names. Findings call it by its path in the folder,
// or as it was given.
func (s *scan) dump() (*env.Dump, error) {
	given := s.options.EnvFrom
	if given == "" {
		return nil, nil
	}
	name := filepath.ToSlash(given)
	if abs, err := filepath.Abs(given); err == nil {
		if rel, err := filepath.Rel(s.root, abs); err == nil && !strings.HasPrefix(rel, "..") {
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
		for file, way := range c.Client {
			client[file] = way
		}
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
