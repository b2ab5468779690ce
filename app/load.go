package app

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"claviger.dev/claviger"
	"claviger.dev/claviger/admit"
	"claviger.dev/claviger/authz"
	"claviger.dev/claviger/config"
)

const defaultConfig = "claviger.yaml"

// source is where a configuration comes from: a file, or the text of the demo.
type source struct {
	path string
	text []byte
	// development says that it is for development alone.
	development bool
}

// locate finds the configuration file: the flag, CLAVIGER_CONFIG, or
// claviger.yaml in the working directory.
func locate(env Environment, flag string) source {
	path := flag
	if path == "" {
		path, _ = env.Lookup("CLAVIGER_CONFIG")
	}
	if path == "" {
		path = defaultConfig
	}
	if !filepath.IsAbs(path) {
		path = filepath.Join(env.Dir, path)
	}
	return source{path: path}
}

func (s source) read() ([]byte, error) {
	if s.text != nil {
		return s.text, nil
	}
	data, err := os.ReadFile(s.path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("there is no configuration at %s; write one with 'claviger init', name one with --config, or see it work with 'claviger demo'", s.path)
	}
	if err != nil {
		return nil, fmt.Errorf("the configuration cannot be read: %w", err)
	}
	return data, nil
}

// load reads and checks the configuration, secrets not included.
func (s source) load(env Environment) (*config.Config, error) {
	data, err := s.read()
	if err != nil {
		return nil, badUsage(err)
	}
	load := config.Load
	if s.development {
		load = config.LoadDevelopment
	}
	c, err := load(filepath.Base(s.path), data, env.Lookup,
		config.Supported(available), config.Environ(env.Vars), conditions, priced, recipients, processes)
	if err != nil {
		return nil, badUsage(err)
	}
	return c, nil
}

// available reports whether this version has a feature that a configuration
// may ask for.
func available(feature string) bool {
	switch feature {
	case "auth.authjs", "auth.jwt", "auth.better-auth", "auth.iron-session", "auth.ticket", "auth.service", "auth.forward", "auth.anonymous", "auth.anonymous.human", "auth.dev-user",
		"storage.database.sqlite", "storage.database.memory", "storage.database.postgres", "storage.limits.memory", "storage.limits.redis", "storage.when_limits_fail", "retention",
		"proxy.store", "proxy.background":
		return true
	}
	return false
}

func priced(c *config.Config) []config.Problem {
	prices := pricesOf(c)
	known := func(model string) bool {
		_, ok := prices.Price(model)
		return ok
	}
	return config.Prices(known)(c)
}

// conditions compiles the plans, so that a mistake in a condition is reported
// with its place.
func conditions(c *config.Config) []config.Problem {
	_, err := authz.New(plansOf(c))
	if err == nil {
		return nil
	}
	var out []config.Problem
	for _, e := range flatten(err) {
		p, ok := errors.AsType[*authz.PlanError](e)
		if !ok {
			out = append(out, c.Problem("plans", e.Error(), ""))
			continue
		}
		path, text := strings.TrimSuffix(fmt.Sprintf("plans[%d].%s", p.Index, p.Field), "."), p.Reason
		if p.Column > 0 {
			text = fmt.Sprintf("%s (at character %d of line %d of the condition)", p.Reason, p.Column, p.Line)
		}
		problem := c.Problem(path, text, "")
		if p.Column > 0 {
			problem.Position = c.Within(path, p.Line, p.Column)
		}
		out = append(out, problem)
	}
	return out
}

// flatten takes a joined error apart.
func flatten(err error) []error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		return joined.Unwrap()
	}
	return []error{err}
}

// sharedOf are the limits of all on a plan together.
func sharedOf(c *config.Config, percent int64) []claviger.Limit {
	if percent == 0 {
		return nil
	}
	return admit.Share(c.Limits.Total.All(), percent)
}

func plansOf(c *config.Config) []authz.Plan {
	plans := make([]authz.Plan, 0, len(c.Plans))
	for _, p := range c.Plans {
		plans = append(plans, authz.Plan{
			Name: p.Name, When: p.When, Models: p.Models, Endpoints: p.Endpoints, Actions: p.Actions, Tools: p.Tools,
			MaxInput: p.Limits.MaxInputTokens, MaxOutput: p.Limits.MaxOutputTokens, Limits: p.Limits.All(),
			Shared: sharedOf(c, p.Share),
		})
	}
	return plans
}
