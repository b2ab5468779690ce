package config

import (
	"strconv"
	"strings"
)

// positions is where each key's value stands.
type positions struct {
	file string
	at   map[string]place
}

type place struct {
	Position
	// text is the number of characters before the text of a scalar that is
	// written in one line as it is: 0 for plain ones, 1 for quoted ones, -1 where
	// a place inside cannot be counted.
	text int
}

func (p positions) nearest(path string) Position {
	for {
		if at, ok := p.at[path]; ok {
			return at.Position
		}
		if path == "" {
			return Position{File: p.file, Line: 1, Column: 1}
		}
		path = parent(path)
	}
}

func (p positions) within(path string, line, column int) Position {
	at, ok := p.at[path]
	if !ok || at.text < 0 || at.Line == 0 || line > 1 || column < 1 {
		return p.nearest(path)
	}
	at.Column += at.text + column - 1
	return at.Position
}

// join adds a key to a path. A key that could be taken for something else
// stands in brackets and quotes, and one that might be a secret is not told.
func join(path, key string) string {
	switch {
	case !tellable(key):
		return path + "[…]"
	case !plainKey(key):
		return path + "[" + strconv.Quote(key) + "]"
	case path == "":
		return key
	default:
		return path + "." + key
	}
}

// index adds a place in a list to a path.
func index(path string, i int) string { return path + "[" + strconv.Itoa(i) + "]" }

// parent takes the last part off a path.
func parent(path string) string {
	if strings.HasSuffix(path, `"]`) {
		if i := strings.LastIndex(path, `["`); i >= 0 {
			return path[:i]
		}
	}
	if i := strings.LastIndexAny(path, ".["); i >= 0 {
		return path[:i]
	}
	return ""
}

// covered reports whether path or a key around it is in set.
func covered(set map[string]bool, path string) bool {
	for {
		if set[path] {
			return true
		}
		if path == "" {
			return false
		}
		path = parent(path)
	}
}

// wrongWithin reports whether a key or one inside it has a problem.
func (c *Config) wrongWithin(path string) bool {
	for p := range c.wrong {
		if p == path || strings.HasPrefix(p, path+".") || strings.HasPrefix(p, path+"[") {
			return true
		}
	}
	return false
}

func plainKey(s string) bool {
	for i := range len(s) {
		if !letterOrDigit(s[i]) && s[i] != '_' && s[i] != '-' {
			return false
		}
	}
	return s != ""
}

func letterOrDigit(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}
