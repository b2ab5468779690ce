package check

import (
	"context"
	"fmt"
	"strings"

	"claviger.dev/claviger/internal/check/env"
	"claviger.dev/claviger/internal/check/files"
	"claviger.dev/claviger/internal/check/probe"
)

// scanSite checks a deployed site from outside.
func scanSite(ctx context.Context, o Options, r Reporter) error {
	if err := r.Start(Config{Target: o.Target, Version: o.Version, Rules: Rules(o.Analyzers...), EnvFrom: o.EnvFrom}); err != nil {
		return err
	}
	s := &scan{options: o, reporter: r, judged: map[string]string{}}
	for _, p := range points {
		s.open(p.id, "This cannot be judged from outside: check the project.")
	}
	var dump *env.Dump
	if o.EnvFrom != "" {
		var err error
		if dump, err = env.ReadDump(o.EnvFrom, o.EnvFrom); err != nil {
			return err
		}
	}
	e, _ := env.Load(&files.Tree{}, dump)
	res, err := probe.Scan(ctx, probe.Options{
		URL: o.Target, Agent: "claviger-check/" + o.Version, Values: e.Canaries, Report: s.add, Problem: s.problem, Progress: s.progress,
	})
	if err != nil {
		return err
	}
	s.files = res.Read
	s.note("Sent %d GET requests to %s, and one harmless POST without a credential (and, where something answered, one OPTIONS) to each of: %s.", res.Gets, o.Target, strings.Join(res.Posts, ", "))
	if res.Read > 0 {
		delete(s.unknown, "M-C2")
		s.judged["M-C2"] = fmt.Sprintf("%s that the site delivers hold no key, and none of %s.", plural(res.Read, "address"), plural(e.Canaries.Len(), "known secret value"))
	}
	if res.Refused > 0 {
		s.unknown["M-C4"] = fmt.Sprintf("%s refused a stranger; whether these are all, and whether rates are limited, cannot be seen from outside.", plural(res.Refused, "endpoint"))
	}
	return s.finish()
}
