// Package env judges the environment of a project: what its .env files and the
// variables of a deployment hold, which of it build tools hand to browsers, and
// what git would take along.
package env

import (
	"context"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"claviger.dev/claviger/internal/check/canary"
	"claviger.dev/claviger/internal/check/files"
	"claviger.dev/claviger/internal/check/report"
	"claviger.dev/claviger/internal/detect"
	"claviger.dev/claviger/internal/dotenv"
)

// Environment is what was found.
type Environment struct {
	Variables []report.Variable
	// Canaries are the real values, to be looked for elsewhere.
	Canaries *canary.Set
	vars     []variable
	// deployment is the name of the dump, empty without one.
	deployment string
}

// variable is one assignment with its value, which stays in this package.
type variable struct {
	report.Variable
	value    string
	weight   detect.Weight
	kind     detect.Kind
	template bool
	// dump says that it is a variable of a deployment.
	dump bool
}

// Load reads the .env files of a project as Next.js does, each folder for
// itself, and the dump of a deployment where there is one.
func Load(t *files.Tree, dump *Dump) (*Environment, []files.Problem) {
	e := &Environment{Canaries: &canary.Set{}}
	var problems []files.Problem
	for _, dir := range envDirs(t) {
		problems = append(problems, e.loadDir(t, dir)...)
	}
	if dump != nil {
		e.deployment = dump.Name
		for _, v := range dump.Vars {
			e.add(v.Name, v.Value, report.Position{File: dump.Name, Line: v.Line}, true)
		}
	}
	return e, problems
}

func envDirs(t *files.Tree) []string {
	var dirs []string
	for _, f := range t.Files {
		if f.Kind == report.FileEnv && !slices.Contains(dirs, path.Dir(f.Path)) {
			dirs = append(dirs, path.Dir(f.Path))
		}
	}
	return dirs
}

// loadDir reads all .env files of one folder. Each value is expanded with what
// the other files of the folder set, in the order in which Next.js asks them; a
// value that cannot be expanded is taken as it stands.
func (e *Environment) loadDir(t *files.Tree, dir string) []files.Problem {
	var problems []files.Problem
	var all []dotenv.File
	for _, f := range t.Files {
		if f.Kind != report.FileEnv || path.Dir(f.Path) != dir {
			continue
		}
		text, err := files.Read(path.Join(t.Root, f.Path), 4<<20)
		if err != nil {
			problems = append(problems, files.Problem{Path: f.Path, Reason: err.Error()})
			continue
		}
		all = append(all, dotenv.File{Name: f.Path, Content: []byte(text)})
	}
	order := append(dotenv.Names("production"), dotenv.Names("development")...)
	slices.SortStableFunc(all, func(a, b dotenv.File) int { return rank(order, a.Name) - rank(order, b.Name) })
	for _, f := range all {
		for _, a := range dotenv.Parse(f.Content) {
			e.add(a.Name, expanded(f, all, a), report.Position{File: f.Name, Line: a.Line, Column: 1}, false)
		}
	}
	return problems
}

func rank(order []string, name string) int {
	if i := slices.Index(order, path.Base(name)); i >= 0 {
		return i
	}
	return len(order)
}

// expanded is the value of an assignment after expansion, with its own file
// first.
func expanded(f dotenv.File, all []dotenv.File, a dotenv.Entry) string {
	if !strings.Contains(a.Value, "$") {
		return a.Value
	}
	own := dotenv.File{Name: f.Name, Content: f.Content}
	others := slices.DeleteFunc(slices.Clone(all), func(o dotenv.File) bool {
		return o.Name == f.Name || files.IsTemplate(o.Name) != files.IsTemplate(f.Name)
	})
	vars, err := dotenv.Load(append([]dotenv.File{own}, others...), nil)
	if err != nil {
		return a.Value
	}
	if v, ok := vars[a.Name]; ok && v.File == f.Name {
		return v.Value
	}
	return a.Value
}

func (e *Environment) add(name, value string, at report.Position, dump bool) {
	v := variable{value: value, template: !dump && files.IsTemplate(at.File), dump: dump}
	v.weight, v.kind = detect.WeighValue(name, value)
	v.Variable = report.Variable{Name: name, At: at, Public: detect.PublicPrefix(name) != "", Secret: v.weight != detect.WeightNone}
	v.Plain = value != "" && !v.Secret && !detect.CouldBeSecret(value) && (switches[strings.ToLower(value)] || !detect.IsPlaceholder(value))
	if v.Secret {
		v.Fingerprint = report.SecretFingerprint(value)
		if !v.template && v.weight == detect.WeightSecret {
			if v.kind != "" || detect.Looks(value) {
				e.Canaries.Add(name, value, at)
			}
			if p := detect.URLPassword(value); p != "" && detect.Looks(p) {
				e.Canaries.Add(name, p, at)
			}
		}
	}
	e.vars = append(e.vars, v)
	e.Variables = append(e.Variables, v.Variable)
}

// switches are values that are words for yes and no.
var switches = map[string]bool{"on": true, "off": true, "yes": true, "no": true, "true": true, "false": true, "0": true, "1": true}

// ServerKeys are the names of variables of the deployment that hold a provider's
// key, on the server.
func (e *Environment) ServerKeys() []string {
	var names []string
	for _, v := range e.vars {
		if v.dump && !v.Public && v.weight == detect.WeightSecret && (v.kind.Provider() || strings.Contains(strings.ToUpper(v.Name), "OPENAI")) {
			names = append(names, v.Name)
		}
	}
	return names
}

// Deployment is the name of the dump of a deployment, empty without one.
func (e *Environment) Deployment() string { return e.deployment }

// Values calls visit with each secret value and its fingerprint. It is for
// whoever plants or searches them, and for nobody who prints.
func (e *Environment) Values(visit func(name, value, fingerprint string)) {
	for _, v := range e.vars {
		if v.weight == detect.WeightSecret && !v.template {
			visit(v.Name, v.value, v.Fingerprint)
		}
	}
}

// Judge reports what is wrong with the environment.
func (e *Environment) Judge(ctx context.Context, t *files.Tree, texts Texts, report func(report.Finding)) {
	e.public(texts, report)
	e.committed(t, report)
	e.notIgnored(ctx, t, report)
}

// Texts finds where the code of the project reads a variable.
type Texts interface {
	// Reads are the places that read or declare a variable, those in code for
	// browsers first. client says whether the first is one.
	Reads(name string) (at []report.Position, client bool)
	// Named are the names with a public prefix that stand in code and
	// configuration.
	Named() []string
}

// public reports secrets under public prefixes: by value where there is one, by
// name alone else.
func (e *Environment) public(texts Texts, emit func(report.Finding)) {
	byName := map[string][]variable{}
	var names []string
	note := func(name string) {
		if _, ok := byName[name]; !ok {
			names = append(names, name)
			byName[name] = nil
		}
	}
	for _, v := range e.vars {
		if v.Public {
			note(v.Name)
			byName[v.Name] = append(byName[v.Name], v)
		}
	}
	for _, name := range texts.Named() {
		note(name)
	}
	for _, name := range names {
		if f, ok := publicFinding(name, byName[name], texts); ok {
			emit(f)
		}
	}
}

// publicFinding judges one variable with a public prefix.
func publicFinding(name string, set []variable, texts Texts) (report.Finding, bool) {
	var real *variable
	empty := len(set) == 0
	for i := range set {
		if set[i].weight == detect.WeightSecret && (real == nil || real.template) {
			real = &set[i]
		}
		if !set[i].Plain && detect.IsPlaceholder(set[i].value) || detect.CouldBeSecret(set[i].value) {
			empty = true
		}
	}
	named := detect.WeighName(name)
	if real == nil && (named != detect.WeightSecret || !empty) {
		return report.Finding{}, false
	}
	reads, client := texts.Reads(name)
	f := report.Finding{Rule: "public-env-secret", Severity: report.SeverityHigh, Confidence: report.ConfidenceLikely}
	for _, v := range set {
		f.Path = append(f.Path, report.Position{File: v.At.File, Line: v.At.Line, Column: v.At.Column, Note: "is set here"})
	}
	switch {
	case len(reads) > 0:
		f.At = reads[0]
		for _, p := range reads[1:min(len(reads), 6)] {
			p.Note = "is read here"
			f.Path = append(f.Path, p)
		}
	case real != nil:
		f.At, f.Path = real.At, slices.DeleteFunc(f.Path, func(p report.Position) bool { return p.File == real.At.File && p.Line == real.At.Line })
	default:
		if len(f.Path) == 0 {
			return f, false
		}
		f.At, f.Path = f.Path[0], f.Path[1:]
	}
	f.At.Note = ""
	prefix := detect.PublicPrefix(name)
	what := "by its name"
	if real != nil {
		f.Secret, f.Confidence = real.Fingerprint, report.ConfidenceCertain
		what = "by its value"
		if real.kind != "" {
			what = fmt.Sprintf("by its value (%s)", real.kind)
		}
		if client && !real.template {
			f.Severity = report.SeverityCritical
		}
	}
	f.Message = fmt.Sprintf("%s is a secret, %s, and the prefix %s makes the build copy it into code for browsers.", name, what, prefix)
	f.Fix = fmt.Sprintf("Name it %s, read it on the server alone, and let browsers call your own server. If it was ever built or deployed under this name, rotate it.", name[len(prefix):])
	return f, true
}

// committed reports .env files with secrets that git tracks, templates included.
func (e *Environment) committed(t *files.Tree, emit func(report.Finding)) {
	for _, group := range e.byFile() {
		first := group[0]
		if !t.Tracked[first.At.File] {
			if !first.template {
				continue
			}
			emit(report.Finding{
				Rule: "hardcoded-key", Severity: report.SeverityHigh, Confidence: report.ConfidenceCertain, At: first.At, Path: also(group[1:]), Secret: first.Fingerprint,
				Message: fmt.Sprintf("%s is a file to copy and to commit, and %s in it is no placeholder.", first.At.File, first.Name),
				Fix:     "Put a placeholder there, as " + first.Name + "=your-key-here. If the file was ever shared, rotate the secret.",
			})
			continue
		}
		emit(report.Finding{
			Rule: "env-committed", Severity: report.SeverityCritical, Confidence: report.ConfidenceCertain, At: first.At, Path: also(group[1:]), Secret: first.Fingerprint,
			Message: fmt.Sprintf("git tracks %s, which holds %s.", first.At.File, counted(group)),
			Fix:     "Rotate what is in it. Then: git rm --cached " + shellQuoted(first.At.File) + ", and add it to .gitignore.",
		})
	}
}

// byFile are the secrets of .env files, each file's together, in order.
func (e *Environment) byFile() [][]variable {
	var groups [][]variable
	index := map[string]int{}
	for _, v := range e.vars {
		if v.dump || v.weight != detect.WeightSecret {
			continue
		}
		i, ok := index[v.At.File]
		if !ok {
			i = len(groups)
			index[v.At.File] = i
			groups = append(groups, nil)
		}
		groups[i] = append(groups[i], v)
	}
	return groups
}

func also(rest []variable) []report.Position {
	var out []report.Position
	for _, v := range rest[:min(len(rest), 10)] {
		p := v.At
		p.Note = v.Name + " as well"
		out = append(out, p)
	}
	return out
}

func counted(group []variable) string {
	if len(group) == 1 {
		return "the secret " + group[0].Name
	}
	return fmt.Sprintf("%d secrets, %s first", len(group), group[0].Name)
}

// notIgnored reports .env files with secrets that git would take along: one
// finding, at the top .gitignore.
func (e *Environment) notIgnored(ctx context.Context, t *files.Tree, emit func(report.Finding)) {
	if t.NoGit {
		return
	}
	var open []report.Position
	var lines []string
	for _, group := range e.byFile() {
		at := group[0].At
		if t.Tracked[at.File] || group[0].template {
			continue
		}
		ignored, err := t.WouldIgnore(ctx, at.File)
		if err != nil || ignored[at.File] {
			continue
		}
		at.Note = "holds " + counted(group) + " and is not ignored"
		open = append(open, at)
		lines = append(lines, ignoreLine(at.File))
	}
	if len(open) == 0 {
		return
	}
	slices.Sort(lines)
	lines = slices.Compact(lines)
	f := report.Finding{
		Rule: "env-not-ignored", Severity: report.SeverityHigh, Confidence: report.ConfidenceCertain, At: report.Position{File: ".gitignore", Line: 1}, Path: open,
		Message: fmt.Sprintf("git does not ignore %s: the next 'git add .' commits the secrets in it.", open[0].File),
		Fix:     "Add to .gitignore: " + strings.Join(lines, "  "),
	}
	f.Edits = []report.Edit{ignoreEdit(t, lines)}
	emit(f)
}

// ignoreLine is the pattern that ignores a file and its like.
func ignoreLine(p string) string {
	base := path.Base(p)
	switch {
	case base == ".env.local", strings.HasSuffix(base, ".local") && strings.HasPrefix(base, ".env"):
		return ".env*.local"
	case strings.HasPrefix(base, ".env") && plainName.MatchString(base):
		return base
	}
	return "/" + ignoreSpecial.ReplaceAllString(p, `\$0`)
}

var (
	plainName     = regexp.MustCompile(`^[\w.-]+$`)
	ignoreSpecial = regexp.MustCompile(`[\\*?\[\]!# ]`)
)

// ignoreEdit appends lines to the top .gitignore.
func ignoreEdit(t *files.Tree, lines []string) report.Edit {
	text, err := t.ReadFile(".gitignore")
	if err != nil {
		text = ""
	}
	add := strings.Join(lines, "\n") + "\n"
	if text != "" && !strings.HasSuffix(text, "\n") {
		add = "\n" + add
	}
	return report.Edit{File: ".gitignore", Start: len(text), End: len(text), Text: add}
}

func shellQuoted(s string) string {
	if plainPath.MatchString(s) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

var plainPath = regexp.MustCompile(`^[\w./-]+$`)
