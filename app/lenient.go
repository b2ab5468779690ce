package app

import (
	"regexp"
	"strings"

	"go.yaml.in/yaml/v4"

	"claviger.dev/claviger"
	"claviger.dev/claviger/config"
)

// topLevel is a line with which a key of the whole file begins.
var topLevel = regexp.MustCompile(`^["']?([A-Za-z_]+)["']?[ \t]*:`)

// leniently reads of a configuration that is not good what says where things
// are kept, each key by itself, so that a mistake in another one is no
// obstacle. broken are the keys that cannot be read.
func leniently(data []byte) (cfg *config.Config, broken []string) {
	cfg = &config.Config{Environment: "production"}
	cfg.Storage.Database = "sqlite"
	var identity string
	into := map[string]*string{"state": &cfg.State, "environment": &cfg.Environment, "identity_key": &identity, "storage": &cfg.Storage.Database}
	parts, named := sections(data)
	for _, key := range []string{"environment", "state", "storage", "identity_key"} {
		texts := parts[key]
		switch {
		case !named, len(texts) > 1, len(texts) == 1 && !scalarOf(texts[0], key, into[key]):
			broken = append(broken, key)
		}
	}
	cfg.IdentityKey = claviger.Ref(identity)
	return cfg, broken
}

// sections cuts a file at the lines that begin with a key. A line that begins
// with something else belongs to no section. named says that there is any.
func sections(data []byte) (parts map[string][]string, named bool) {
	parts = map[string][]string{}
	var key string
	var text strings.Builder
	end := func() {
		if key != "" {
			parts[key] = append(parts[key], text.String())
		}
		key = ""
		text.Reset()
	}
	for line := range strings.Lines(strings.TrimPrefix(string(data), "\uFEFF")) {
		if begin := topLevel.FindStringSubmatch(line); begin != nil {
			end()
			key, named = begin[1], true
		} else if !strings.ContainsAny(line[:1], " \t#\r\n") {
			end()
		}
		text.WriteString(line)
	}
	end()
	return parts, named
}

// scalarOf takes the one scalar of a section: that of the key itself, and of
// storage its database. What is not there leaves into as it is.
func scalarOf(text, key string, into *string) bool {
	var doc yaml.Node
	if yaml.Unmarshal([]byte(text), &doc) != nil || len(doc.Content) != 1 {
		return false
	}
	value, ok := entry(doc.Content[0], key)
	if key == "storage" && ok && value != nil {
		value, ok = entry(value, "database")
	}
	if !ok || value == nil {
		return ok
	}
	if value.Kind != yaml.ScalarNode || value.Style&yaml.TaggedStyle != 0 || value.Value == "" {
		return false
	}
	*into = value.Value
	return true
}

// entry finds the value of a key of a mapping: nil where there is none, and
// false where it is no mapping, or has the key twice.
func entry(n *yaml.Node, key string) (value *yaml.Node, ok bool) {
	if n.Kind != yaml.MappingNode {
		return nil, n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null"
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value != key {
			continue
		}
		if value != nil {
			return nil, false
		}
		value = n.Content[i+1]
	}
	if value != nil && value.Kind == yaml.ScalarNode && value.ShortTag() == "!!null" {
		return nil, true
	}
	return value, true
}
