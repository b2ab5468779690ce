package config

import (
	"slices"
	"strings"
)

// The variables that override the file.
const (
	EnvListen      = "CLAVIGER_LISTEN"
	EnvAdminListen = "CLAVIGER_ADMIN_LISTEN"
	EnvUpstream    = "CLAVIGER_UPSTREAM"
	EnvLog         = "CLAVIGER_LOG"
)

// override applies the variables, by the rules of the keys that they override.
// An empty variable counts as none.
func override(d *decoder, c *Config, env Lookup) {
	one := func(variable, path string, k *scalar[string], into *string) {
		s, ok := env(variable)
		if !ok || s == "" {
			return
		}
		at := Position{File: variable}
		d.at.at[path] = place{at, -1}
		v, err := k.parse(s)
		switch {
		case looksSecret(s):
			d.failAt(path, at, fault{"the variable holds what looks like a key", "set it to " + k.wanted()})
		case err != nil:
			d.failAt(path, at, asFault(err))
		default:
			*into = v
		}
	}
	one(EnvListen, "listen", listenAddress(), &c.Listen)
	one(EnvAdminListen, "admin.listen", listenAddress(), &c.Admin.Listen)
	one(EnvUpstream, "upstream.base_url", webURL("https://api.openai.com/v1"), &c.Upstream.BaseURL)
	overrideLog(d, c, env)
}

func overrideLog(d *decoder, c *Config, env Lookup) {
	s, _ := env(EnvLog)
	for word := range strings.FieldsFuncSeq(s, func(r rune) bool { return r == ',' || r == ' ' || r == ':' }) {
		switch {
		case slices.Contains(logFormats, word):
			c.Log.Format = word
		case slices.Contains(logLevels, word):
			c.Log.Level = word
		default:
			d.failAt("log", Position{File: EnvLog}, fault{
				"must be a format (" + quoted(logFormats) + "), a level (" + quoted(logLevels) + ") or both", "as json,debug",
			})
			return
		}
	}
}

var (
	logFormats = []string{"text", "json"}
	logLevels  = []string{"debug", "info", "warn", "error"}
)
