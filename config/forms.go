package config

import (
	"regexp"
	"strings"
	"time"
	_ "time/tzdata" // zones must not depend on what the machine has installed

	"golang.org/x/net/publicsuffix"

	"claviger.dev/claviger/internal/jsonx"
)

var (
	originForm = regexp.MustCompile(originPattern)
	suffixForm = regexp.MustCompile(suffixPattern)
	hostForm   = regexp.MustCompile(`^(` + hostPattern + `)\.?(:[1-9][0-9]{0,4})?$`)
)

// everybodys reports whether anybody may register a name that ends in host:
// ".vercel.app" and "-example.com" can be had by all, "-team.vercel.app" and
// ".example.com" cannot.
func everybodys(host string) bool {
	rest := host[1:]
	suffix, icann := publicsuffix.PublicSuffix(rest)
	if host[0] == '.' {
		return suffix == rest
	}
	_, above, _ := strings.Cut(rest, ".")
	return suffix == rest || icann && suffix == above
}

// nameOf is a name in small letters that fits into a path.
func lowerName(noun, example string) *scalar[string] {
	return matching(noun, example, `^[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?$`,
		fault{"a name is made of small letters, digits and hyphens, at most 64", "as " + example})
}

// anyName is a name of letters, digits, dots, hyphens and underscores.
func anyName(noun, example string) *scalar[string] {
	return matching(noun, example, `^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`,
		fault{"a name is made of letters, digits, dots, hyphens and underscores, at most 64", "as " + example})
}

// modelName is the name of one model.
func modelName() *scalar[string] {
	return matching("the name of a model", "gpt-4.1-mini", `^[A-Za-z0-9][A-Za-z0-9._:/-]{0,127}$`,
		fault{"must be the name of a model, as gpt-4.1-mini", "here * is not allowed"})
}

// modelPattern is the name of a model, with * for any part of it.
func modelPattern() *scalar[string] {
	return matching("the name of a model, * for any part", "gpt-4.1*", `^[A-Za-z0-9*][A-Za-z0-9._:/*-]{0,127}$`,
		fault{"must be the name of a model, as gpt-4.1-mini or gpt-4.1*", ""})
}

// toolName is the type of a tool.
func toolName() *scalar[string] {
	return matching("the type of a tool", "web_search", `^[a-z][a-z0-9_]{0,63}$`,
		fault{"must be the type of a tool, as function or web_search", ""})
}

// cookieName is a token of RFC 6265.
func cookieName() *scalar[string] {
	return matching("the name of a cookie", "__Secure-authjs.session-token", "^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}$",
		fault{"must be the name of a cookie", ""})
}

// actionPath is a route of the app's choice, as it is sent.
func actionPath() *scalar[string] {
	s := matching("a path", "/api/ai/generate", `^(/[A-Za-z0-9._~-]+)+$`, fault{
		"must be a path as callers send it, as /api/ai/generate",
		"segments of letters, digits and . _ ~ -, no slash at the end; nothing is decoded or cleaned",
	})
	return s.with(func(p string) error {
		for part := range strings.SplitSeq(p, "/") {
			if part == "." || part == ".." {
				return fault{"must not hold . or .. as a segment", ""}
			}
		}
		for _, taken := range []string{"/v1", "/actions", "/tickets"} {
			if p == taken || strings.HasPrefix(p, taken+"/") {
				return fault{taken + " belongs to the gateway itself", "choose another path, as /api/ai/generate"}
			}
		}
		return nil
	})
}

// timeZone is a name of the IANA time zone database.
func timeZone() *scalar[string] {
	return textScalar("a time zone", "Europe/Zurich", func(s string) (string, error) {
		if zoneOf(s) == nil || s == "" || s == "Local" {
			return "", fault{"must be UTC or a name of the IANA time zone database", "as Europe/Zurich or America/New_York"}
		}
		return s, nil
	}, same).like(`^[A-Za-z0-9_+/-]+$`)
}

func zoneOf(name string) *time.Location {
	l, err := time.LoadLocation(name)
	if err != nil {
		return nil
	}
	return l
}

// statePath is a directory.
func directory(example string) *scalar[string] {
	return text(example).with(func(s string) error {
		if strings.ContainsAny(s, "\x00\n\r") {
			return fault{"must be the path of a directory", ""}
		}
		return nil
	})
}

// store is where something is kept: one of some words, perhaps with a path, or
// a reference to the address of a server.
func store(noun, server string, local ...string) *scalar[string] {
	bad := fault{
		"must be " + strings.Join(local, " or ") + ", or the address of a " + server + " server by reference",
		"as env:" + strings.ToUpper(server) + "_URL; an address written here could hold a password, which would then be leaked",
	}
	return textScalar(noun, local[0], func(s string) (string, error) {
		for _, l := range local {
			path, ok := strings.CutPrefix(s, l)
			if ok && (path == "" || l == "sqlite" && len(path) > 1 && path[0] == ':') {
				return s, nil
			}
		}
		scheme, _, _ := strings.Cut(s, ":")
		switch scheme {
		case "env", "file", "command":
			ref, err := parseRef(s)
			return string(ref), err
		}
		return "", bad
	}, same).like(`^(` + strings.Join(local, "|") + `|sqlite:.+|(env|file|command):.+)$`)
}

// longestKept is the longest that anything is kept.
const longestKept = 10 * 366 * 24 * time.Hour

// keeping is how long something is kept.
func keeping() *scalar[time.Duration] {
	of := span(longestKept)
	return &scalar[time.Duration]{
		noun: "none or a duration", example: "30d", tags: []string{tagText},
		parse: func(s string) (time.Duration, error) {
			if s == "none" {
				return 0, nil
			}
			t, err := of.parse(s)
			if f := asFault(err); err != nil && f == badSpan {
				err = fault{"must be none or a duration, as 30d", ""}
			}
			return t, err
		},
		format: func(t time.Duration) string {
			if t == 0 {
				return "none"
			}
			return formatSpan(t)
		},
		schema: []jsonx.Member{typeIs("string"), pattern(`^none$|` + spanPattern)},
	}
}
