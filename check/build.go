package check

import (
	"context"
	"fmt"
	"strings"

	"claviger.dev/claviger/internal/check/build"
	"claviger.dev/claviger/internal/check/env"
	"claviger.dev/claviger/internal/check/files"
	"claviger.dev/claviger/internal/detect"
)

// build runs the project's own build with invented values, and takes these along
// as what is looked for. The tree is read anew after it.
func (s *scan) build(ctx context.Context, dump *env.Dump, temp string) error {
	e, _ := env.Load(s.tree, dump)
	p, err := build.Prepare(s.tree, e.Variables)
	if err == nil {
		return s.run(ctx, p, e, temp)
	}
	s.problem(files.Problem{Path: "package.json", Reason: "it was not built: " + err.Error()})
	return ctx.Err()
}

func (s *scan) run(ctx context.Context, p *build.Plan, e *env.Environment, temp string) error {
	log := s.log
	var names []string
	for _, x := range p.Planted {
		names = append(names, x.Name)
	}
	command := strings.Join(p.Command, " ")
	log(fmt.Sprintf("Running '%s' in %s: this executes code of the project. Invented values stand in %s.", command, s.root, listed(names)))
	err := p.Run(ctx, s.options.BuildEnv, func(line string) { log("build: " + hidden(e, line)) })
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		s.problem(files.Problem{Path: "package.json", Reason: fmt.Sprintf("'%s' failed: %v", command, err)})
	}
	s.note("'%s' was run with invented values in %s. Its output is not for deploying: build again.", command, listed(names))
	if s.tree, err = files.Walk(ctx, s.root, temp); err != nil {
		return err
	}
	s.planted = p.Planted
	return nil
}

// log tells whoever listens what the build prints.
func (s *scan) log(line string) {
	if s.options.BuildLog != nil {
		s.options.BuildLog(line)
	}
}

func listed(names []string) string {
	if len(names) == 0 {
		return "no variable"
	}
	return strings.Join(names, ", ")
}

// hidden takes the real values, and what looks like one, out of a line.
func hidden(e *env.Environment, line string) string {
	var b strings.Builder
	at := 0
	for _, h := range e.Canaries.Find(line) {
		b.WriteString(line[at:h.Start] + "[" + h.Value.Name + "]")
		at = h.End
	}
	b.WriteString(line[at:])
	return detect.Replace(b.String(), "[secret]")
}
