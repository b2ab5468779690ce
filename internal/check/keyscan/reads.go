package keyscan

import (
	"path"
	"regexp"
	"slices"
	"strings"

	"claviger.dev/claviger/internal/check/report"
	"claviger.dev/claviger/internal/detect"
)

// Reads is where code and configuration read or declare variables with a public
// prefix.
type Reads struct {
	at     map[string][]report.Position
	client map[string]int
	names  []string
}

var (
	prefixes   = detect.PublicPrefixes()
	publicName = regexp.MustCompile(`\b(?:` + strings.Join(detect.PublicPrefixes(), "|") + `)[A-Z0-9_]+`)
	accessed   = regexp.MustCompile("(?:\\benv\\s*(?:\\?\\.|\\.|\\[\\s*[\"'`])|\\benv\\.get\\(\\s*[\"'])\\s*$")
	declared   = regexp.MustCompile(`^\s*(?:(?:ARG|ENV|export|-)\s+)?["']?$`)
	imported   = regexp.MustCompile(`\benv\b|\$env/static/public`)
	guarding   = regexp.MustCompile(`\bif\s*\(\s*[^!\s]`)
	throwing   = regexp.MustCompile(`\bthrow\b|process\.exit|\bassert\b`)
)

// Code reports whether a path is that of JavaScript or TypeScript, or of a page
// made of it.
func Code(p string) bool {
	switch path.Ext(p) {
	case ".js", ".jsx", ".ts", ".tsx", ".mjs", ".cjs", ".mts", ".cts", ".vue", ".svelte", ".astro", ".html", ".htm", ".map", ".mdx":
		return true
	}
	return false
}

func configuration(p string) bool {
	base := strings.ToLower(path.Base(p))
	switch path.Ext(base) {
	case ".yml", ".yaml", ".toml", ".sh", ".json":
		return !strings.Contains(base, "lock")
	}
	return strings.Contains(base, "dockerfile") || strings.Contains(base, "containerfile") || base == "makefile"
}

// note records the reads in a file.
func (r *Reads) note(file, text string, client bool) {
	code, config := Code(file), configuration(file)
	if !code && !config {
		return
	}
	if !slices.ContainsFunc(prefixes, func(p string) bool { return strings.Contains(text, p) }) {
		return
	}
	for _, loc := range publicName.FindAllStringIndex(text, -1) {
		if !reads(text, loc[0], loc[1], config) {
			continue
		}
		r.add(text[loc[0]:loc[1]], report.PositionAt(file, text, loc[0]), code && (client || builtForBrowsers(file, text[loc[0]:loc[1]])))
	}
}

func (r *Reads) add(name string, at report.Position, client bool) {
	if r.at == nil {
		r.at, r.client = map[string][]report.Position{}, map[string]int{}
	}
	if _, ok := r.at[name]; !ok {
		r.names = append(r.names, name)
	}
	if !client {
		r.at[name] = append(r.at[name], at)
		return
	}
	r.at[name] = slices.Insert(r.at[name], r.client[name], at)
	r.client[name]++
}

// Reads are the places that read a variable, those in code for browsers first,
// and whether there is one of these.
func (r *Reads) Reads(name string) (at []report.Position, client bool) {
	return r.at[name], r.client[name] > 0
}

// Named are the names that code or configuration reads.
func (r *Reads) Named() []string { return r.names }

// reads reports whether the name at a place is a read or a declaration, and not
// a comment, a message or a guard that refuses it.
func reads(text string, start, end int, config bool) bool {
	from := strings.LastIndexByte(text[:start], '\n') + 1
	before := text[from:start]
	rest := text[end:]
	line, after, _ := strings.Cut(rest, "\n")
	trimmed := strings.TrimSpace(before)
	if strings.HasPrefix(trimmed, "//") || strings.HasPrefix(trimmed, "#") || strings.HasPrefix(trimmed, "*") || strings.HasPrefix(trimmed, "/*") || strings.Contains(before, " // ") {
		return false
	}
	if config {
		return declared.MatchString(before) && (strings.HasPrefix(strings.TrimLeft(line, `"' `), "=") || strings.HasPrefix(strings.TrimLeft(line, `"' `), ":") || strings.HasPrefix(trimmed, "ARG"))
	}
	if !accessed.MatchString(before) {
		destructured := strings.Contains(before, "{") && imported.MatchString(line) && (strings.Contains(line, "=") || strings.Contains(line, "from"))
		return destructured
	}
	if guarding.MatchString(before) {
		next, _, _ := strings.Cut(after, "\n")
		return !throwing.MatchString(line) && !throwing.MatchString(next)
	}
	return true
}

// builtForBrowsers reports whether a build tool that has that prefix makes code
// for browsers of everything below src.
func builtForBrowsers(file, name string) bool {
	switch detect.PublicPrefix(name) {
	case "VITE_", "REACT_APP_", "VUE_APP_", "NG_APP_", "EXPO_PUBLIC_":
		return !strings.Contains(path.Base(file), ".config.") && !strings.HasPrefix(file, "server/") && !strings.HasPrefix(file, "api/")
	}
	return false
}
