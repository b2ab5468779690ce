package scaffold

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"

	"claviger.dev/claviger/internal/detect"
	"claviger.dev/claviger/internal/dotenv"
)

// Change is one file as it will be.
type Change struct {
	// Path is relative to the app's folder, with slashes.
	Path string
	// Old is nil where there is no file yet.
	Old, New []byte
	Mode     fs.FileMode
	// Secret says that its values are nobody's to see.
	Secret bool
}

// Set is all that will be changed, together or not at all.
type Set struct {
	Changes []Change
	// Kept are files of the user's that stay as they are, with what would have
	// been written.
	Kept []Change
	// Moved says that the key leaves the app's own files.
	Moved bool
	// Notes are what the user has to know or to do by hand.
	Notes []string

	root  *os.Root
	force bool
}

const (
	keyName  = "OPENAI_API_KEY"
	fileMode = fs.FileMode(0o644)
	ownMode  = fs.FileMode(0o600)
)

//go:embed files
var files embed.FS

func file(name string) string {
	b, err := files.ReadFile("files/" + name)
	if err != nil {
		panic("scaffold: " + name + " is not part of the program")
	}
	return string(b)
}

// Plan says what would be written, and writes nothing. Files that the user has
// are only replaced with force; what is only added to is added to once.
func Plan(p Project, force bool) (*Set, error) {
	root, err := os.OpenRoot(p.Dir)
	if err != nil {
		return nil, err
	}
	defer func() { _ = root.Close() }()
	s := &Set{root: root, force: force}
	ext, page := "js", "js"
	if p.TypeScript {
		ext, page = "ts", "tsx"
	}
	steps := []error{
		s.create("claviger.yaml", p.configuration()),
		s.create(path.Join(p.App, "api/ai/[...path]/route."+ext), p.route()),
		s.create(path.Join(p.App, "claviger/page."+page), p.page()),
	}
	if at, ok := p.asked(); ok {
		steps = append(steps, s.create(path.Join(p.App, "api/claviger/session/route."+ext), p.sessionRoute(at)))
	}
	steps = append(steps, s.moveKey(), s.ignore(), s.example(p.SignIn))
	s.remark(p)
	return s, errors.Join(steps...)
}

// read gives a file's text and mode; nil where there is none. What is no regular
// file is an error: it could lead anywhere.
func (s *Set) read(name string) ([]byte, fs.FileMode, error) {
	info, err := s.root.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, 0, nil
	}
	if err != nil {
		return nil, 0, err
	}
	if !info.Mode().IsRegular() {
		return nil, 0, fmt.Errorf("%s is no regular file; nothing was changed", name)
	}
	b, err := s.root.ReadFile(name)
	if b == nil {
		b = []byte{}
	}
	return b, info.Mode().Perm(), err
}

// create plans a file of ours.
func (s *Set) create(name, text string) error {
	old, mode, err := s.read(name)
	if err != nil {
		return err
	}
	if old == nil {
		mode = fileMode
	}
	c := Change{Path: name, Old: old, New: []byte(text), Mode: mode}
	switch {
	case old != nil && bytes.Equal(old, c.New):
	case old != nil && !s.force:
		s.Kept = append(s.Kept, c)
	default:
		s.Changes = append(s.Changes, c)
	}
	return nil
}

// add plans lines at the end of a file.
func (s *Set) add(name, text string) error {
	old, mode, err := s.read(name)
	if err != nil || text == "" {
		return err
	}
	next := string(old)
	if old == nil {
		mode = fileMode
	}
	if next != "" && !strings.HasSuffix(next, "\n") {
		next += "\n"
	}
	if next != "" {
		next += "\n"
	}
	s.Changes = append(s.Changes, Change{Path: name, Old: old, New: []byte(next + text), Mode: mode})
	return nil
}

var keyLine = regexp.MustCompile(`(?m)^[ \t]*(?:export[ \t]+)?` + keyName + `[ \t]*[=:].*(?:\n|\z)`)

// moveKey takes the provider's key out of .env.local, which the app reads, into
// the file that the gateway alone reads.
func (s *Set) moveKey() error {
	theirs, mode, err := s.read(".env.local")
	if err != nil {
		return err
	}
	ours, oursMode, err := s.read(dotenv.Private)
	if err != nil {
		return err
	}
	held, own := valuesOf(theirs), valuesOf(ours)
	next := string(ours)
	if ours == nil {
		next, oursMode = "# What the gateway alone has: the app's own process does not read this file.\n", ownMode
	}
	switch lines := keyLine.FindAllString(string(theirs), -1); {
	case len(held) == 0:
	case len(held) != 1 || len(lines) != 1 || strings.ContainsAny(held[0], "$\n"):
		s.Notes = append(s.Notes, keyName+" stands in .env.local in a way that is not moved by itself: move it to "+dotenv.Private+" by hand")
	case len(own) > 0 && !slices.Contains(own, held[0]):
		s.Notes = append(s.Notes, keyName+" stands in .env.local and, with another value, in "+dotenv.Private+": take it out of .env.local")
	default:
		s.Moved = true
		left := keyLine.ReplaceAllString(string(theirs), "")
		s.Changes = append(s.Changes, Change{Path: ".env.local", Old: theirs, New: []byte(left), Mode: mode, Secret: true})
		if len(own) == 0 {
			next = ended(next) + ended(strings.TrimLeft(lines[0], " \t"))
		}
	}
	if ours == nil && !s.Moved {
		next += keyName + "=\n"
	}
	if next == string(ours) && oursMode == ownMode {
		return nil
	}
	s.Changes = append(s.Changes, Change{Path: dotenv.Private, Old: ours, New: []byte(next), Mode: ownMode, Secret: true})
	return nil
}

func ended(s string) string {
	if s == "" || strings.HasSuffix(s, "\n") {
		return s
	}
	return s + "\n"
}

func valuesOf(text []byte) (out []string) {
	for _, e := range dotenv.Parse(text) {
		if e.Name == keyName && e.Value != "" {
			out = append(out, e.Value)
		}
	}
	return out
}

// ignore keeps the key and the state out of git, and the example in it.
func (s *Set) ignore() error {
	old, _, err := s.read(".gitignore")
	if err != nil {
		return err
	}
	lines := strings.Split(strings.ReplaceAll(string(old), "\r\n", "\n"), "\n")
	want := []string{dotenv.Private, ".claviger/"}
	if slices.ContainsFunc(lines, func(l string) bool { return l == ".env*" || l == ".env.*" || l == "/.env*" }) {
		want = append(want, "!.env.example")
	}
	want = slices.DeleteFunc(want, func(l string) bool { return slices.Contains(lines, l) })
	if len(want) == 0 {
		return nil
	}
	return s.add(".gitignore", "# Claviger\n"+strings.Join(want, "\n")+"\n")
}

// example tells the next person which variables there are.
func (s *Set) example(in SignIn) error {
	old, _, err := s.read(".env.example")
	if err != nil {
		return err
	}
	known := map[string]bool{}
	for _, e := range dotenv.Parse(old) {
		known[e.Name] = true
	}
	var b strings.Builder
	add := func(about, name, value string) {
		if name != "" && !known[name] {
			b.WriteString("# " + about + "\n" + name + "=" + value + "\n")
		}
	}
	add("The secret of the sessions, for the app and the gateway: .env.local", in.Secret, "")
	add("Where the app finds the gateway", "CLAVIGER_URL", "http://127.0.0.1:8787")
	add("For the gateway alone: "+dotenv.Private+", or the gateway's own environment", keyName, "")
	return s.add(".env.example", b.String())
}

// remark says what no file of ours can change.
func (s *Set) remark(p Project) {
	for _, g := range p.SignIn.Guessed {
		s.Notes = append(s.Notes, "claviger.yaml: look at "+g)
	}
	if p.SignIn.Secret != "" && p.env[p.SignIn.Secret].Value == "" {
		s.Notes = append(s.Notes, fmt.Sprintf("%s is not set in .env.local: both the app and the gateway read it there; 'claviger secret new' makes one", p.SignIn.Secret))
	}
	for _, name := range []string{".env", ".env.development", ".env.development.local", ".env.production", ".env.production.local"} {
		if text, _, err := s.read(name); err == nil && len(valuesOf(text)) > 0 {
			s.Notes = append(s.Notes, fmt.Sprintf("%s stands in %s too, where the app reads it: take it out, and if the file was ever committed, replace the key", keyName, name))
		}
	}
	for _, name := range sorted(p.env) {
		if detect.PublicPrefix(name) != "" && providerKey(p.env[name].Value) {
			s.Notes = append(s.Notes, fmt.Sprintf("%s (%s) holds a key and is copied into code for browsers: replace the key at the provider now, and delete the line", name, p.env[name].File))
		}
	}
	for _, f := range p.callers() {
		s.Notes = append(s.Notes, f+" calls OpenAI by itself, and no longer has the key: let it go through the gateway, or delete it; 'claviger check' says what is wrong with it")
	}
}

func providerKey(value string) bool {
	return slices.ContainsFunc(detect.Find(value), func(m detect.Match) bool { return m.Kind.Provider() })
}
