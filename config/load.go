package config

import (
	"claviger.dev/claviger"
	"claviger.dev/claviger/action"
)

// Lookup gives the value of an environment variable, and whether it is set.
type Lookup func(name string) (string, bool)

// Check looks for what Load cannot know by itself: whether this build has what
// the file asks for, whether a condition compiles, whether a model has a price.
// It sees the configuration with its defaults and returns what is wrong, made
// with Config.Problem. It must not change the configuration, and must bear with
// zero values where the file was wrong: Load drops what it says about a key
// that is already reported.
type Check func(*Config) []Problem

// Load reads a configuration. name is the file's name for messages, data its
// bytes, and env gives the variables that override it (nil for none). All checks
// run, and the error is Problems with everything that was found.
//
// Load is pure: it opens no file, reads no secret and asks no clock.
func Load(name string, data []byte, env Lookup, checks ...Check) (*Config, error) {
	return load(newDecoder(name), data, env, checks)
}

// LoadDevelopment is Load for a command that runs in development alone: a file
// that names no environment is for development, and one that names another is
// refused.
func LoadDevelopment(name string, data []byte, env Lookup, checks ...Check) (*Config, error) {
	d := newDecoder(name)
	d.development = true
	return load(d, data, env, checks)
}

func load(d *decoder, data []byte, env Lookup, checks []Check) (*Config, error) {
	c := &Config{}
	if root := d.document(data); root != nil {
		*c = rootKind().read(d, "", root)
		d.scanText(data)
	}
	if d.fatal {
		return nil, d.problems.final()
	}
	if env != nil {
		override(d, c, env)
	}
	if d.development {
		develop(d, c)
	}
	c.pos, c.refs, c.wrong = d.at, d.refs, d.failed
	finish(c)
	found := d.problems
	said := map[string]bool{}
	for _, check := range ownChecks() {
		for _, p := range fresh(d.failed, nil, check(c)) {
			said[p.Path] = true
			found = append(found, p)
		}
	}
	for _, check := range checks {
		found = append(found, fresh(d.failed, said, check(c))...)
	}
	if len(found) > 0 {
		return nil, found.final()
	}
	c.wrong = nil
	return c, nil
}

// develop makes a configuration one of development, unless it is for something
// else.
func develop(d *decoder, c *Config) {
	at, written := d.at.at["environment"]
	switch {
	case !written:
		c.Environment = Development
	case c.Environment != Development && c.Environment != "":
		d.failAt("environment", at.Position, fault{
			"this is for " + c.Environment + ", and 'claviger dev' runs development alone",
			"take the key out: then 'claviger dev' is development and 'claviger serve' is production",
		})
	}
}

// finish fills in what depends on more than one key.
func finish(c *Config) {
	c.zone = zoneOf(c.TimeZone)
	set := func(rs ...*Rates) {
		for _, r := range rs {
			setZone(r.Tokens, c)
			setZone(r.Spend, c)
		}
	}
	set(&c.Limits.PerIP, &c.Limits.Total)
	for i := range c.Plans {
		set(&c.Plans[i].Limits.Rates)
	}
	for i := range c.Actions {
		finishAction(&c.Actions[i])
	}
	for _, a := range c.Auth {
		if a.Anonymous != nil {
			set(&a.Anonymous.Limits)
		}
		if a.DevUser != nil {
			setZone(a.DevUser.Spend, c)
		}
		if a.Service != nil {
			for i := range a.Service.Keys {
				set(&a.Service.Keys[i].Limits)
			}
		}
		if a.JWT != nil && a.JWT.Algorithms == nil {
			a.JWT.Algorithms = []string{"RS256", "ES256", "EdDSA"}
			if a.JWT.Secret != "" {
				a.JWT.Algorithms = []string{"HS256"}
			}
		}
	}
}

// finishAction fills in what package action would, where the kind has it.
func finishAction(a *Action) {
	if a.Kind != action.KindChat {
		return
	}
	if a.Turns == 0 {
		a.Turns = action.DefaultTurns
	}
	if a.Characters == 0 {
		a.Characters = action.DefaultCharacters
	}
}

// setZone gives calendar windows their zone. UTC stays nil.
func setZone(ws []claviger.Window, c *Config) {
	if c.TimeZone == "" || c.TimeZone == "UTC" {
		return
	}
	for i := range ws {
		switch ws[i].Per {
		case claviger.PeriodHour, claviger.PeriodDay, claviger.PeriodMonth:
			ws[i].Zone = c.zone
		default:
		}
	}
}

// Where gives the place of a key in the file, or of the nearest key around it
// that the file has.
func (c *Config) Where(path string) Position { return c.pos.nearest(path) }

// Problem makes a problem about a key, with its place.
func (c *Config) Problem(path, message, hint string) Problem {
	return Problem{Position: c.Where(path), Path: path, Message: message, Hint: hint}
}

// Within makes a problem about a place inside the text of a key, as a compiler
// of expressions reports it. line and column count from 1 inside the text. Where
// the text is quoted with escapes or folded over lines, the place is that of
// the key's value.
func (c *Config) Within(path string, line, column int) Position {
	return c.pos.within(path, line, column)
}

// fresh drops what is said about keys that are already reported: those around
// or at a key of failed, and those at a key of said.
func fresh(failed, said map[string]bool, ps []Problem) []Problem {
	var out []Problem
	for _, p := range ps {
		if !covered(failed, p.Path) && (!said[p.Path] || p.Path == "") {
			out = append(out, p)
		}
	}
	return out
}
