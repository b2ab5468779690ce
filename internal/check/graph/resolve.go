package graph

import (
	"path"
	"sort"
	"strings"

	"claviger.dev/claviger/internal/jsonx"
)

// Resolver finds the file that a specifier means. It knows the files of the
// project alone: what lies in node_modules is a package, and stays a name.
type Resolver struct {
	meant    map[asked]meaning
	files    map[string]bool
	read     func(string) (string, error)
	packages map[string]*manifest // by name
	nearest  map[string]*manifest // by folder, filled on the way
	roots    map[string]*manifest // by folder
	configs  map[string]*aliases  // by folder, filled on the way
	known    map[string]roleOf    // by file, filled on the way
}

type roleOf struct {
	role  Role
	route string
}

// manifest is what a package.json says.
type manifest struct {
	dir  string
	json jsonx.Value
	// named are the dependencies that were asked for.
	named map[string]bool
}

// aliases are the paths of a tsconfig.json.
type aliases struct {
	base  string // folder of baseUrl; "-" without one
	paths []alias
}

type alias struct {
	pattern string
	targets []string
}

// suffixes are tried in this order behind a specifier without one.
var suffixes = []string{
	".ts", ".tsx", ".js", ".jsx", ".mts", ".mjs", ".cts", ".cjs", ".vue", ".svelte", ".astro",
	".web.tsx", ".web.ts", ".native.tsx", ".native.ts", ".ios.tsx", ".android.tsx",
}

// NewResolver knows files by their paths, with forward slashes, and reads
// package.json and tsconfig.json through read.
func NewResolver(files []string, read func(string) (string, error)) *Resolver {
	r := &Resolver{
		files: make(map[string]bool, len(files)), read: read, packages: map[string]*manifest{},
		nearest: map[string]*manifest{}, roots: map[string]*manifest{}, configs: map[string]*aliases{}, known: map[string]roleOf{}, meant: map[asked]meaning{},
	}
	for _, f := range files {
		r.files[f] = true
	}
	for _, f := range files {
		if path.Base(f) != "package.json" {
			continue
		}
		text, err := read(f)
		if err != nil {
			continue
		}
		v, err := relaxed(text)
		if err != nil || v.Kind() != jsonx.KindObject {
			continue
		}
		m := &manifest{dir: path.Dir(f), json: v}
		r.roots[m.dir] = m
		if name := member(v, "name").Str(); name != "" && r.packages[name] == nil {
			r.packages[name] = m
		}
	}
	return r
}

// Depends reports whether the package that a file belongs to names a
// dependency of that name.
func (r *Resolver) Depends(file, name string) bool {
	for dir := path.Dir(file); ; dir = path.Dir(dir) {
		if m := r.roots[dir]; m != nil {
			if m.names(name) {
				return true
			}
		}
		if dir == "." || dir == "/" {
			return false
		}
	}
}

// names reports whether a package names a dependency.
func (m *manifest) names(dependency string) bool {
	if is, ok := m.named[dependency]; ok {
		return is
	}
	if m.named == nil {
		m.named = map[string]bool{}
	}
	m.named[dependency] = m.lists(dependency)
	return m.named[dependency]
}

func (m *manifest) lists(dependency string) bool {
	for _, k := range []string{"dependencies", "devDependencies", "peerDependencies"} {
		if !member(m.json, k, dependency).IsZero() {
			return true
		}
	}
	return false
}

// Root is the folder of the package that a file belongs to, "." without one.
func (r *Resolver) Root(file string) string {
	if m := r.manifestOf(path.Dir(file)); m != nil {
		return m.dir
	}
	return "."
}

func (r *Resolver) resolve(from, spec string) (string, bool) {
	spec, _, _ = strings.Cut(spec, "?")
	dir := path.Dir(from)
	switch {
	case spec == "" || strings.Contains(spec, ":"):
		return "", false
	case strings.HasPrefix(spec, "."):
		return r.file(path.Join(dir, spec))
	case strings.HasPrefix(spec, "/"):
		return r.file(strings.TrimPrefix(path.Clean(spec), "/"))
	case strings.HasPrefix(spec, "#"):
		if m := r.manifestOf(dir); m != nil {
			if f, ok := r.mapped(m, member(m.json, "imports"), spec); ok {
				return f, true
			}
		}
	}
	if f, ok := r.aliased(dir, spec); ok {
		return f, true
	}
	if f, ok := r.workspace(spec); ok {
		return f, true
	}
	return r.conventional(from, spec)
}

// conventional are the aliases that frameworks make without a line of
// configuration that could be read here.
func (r *Resolver) conventional(from, spec string) (string, bool) {
	root := r.Root(from)
	for _, c := range [][2]string{{"@/", ""}, {"@/", "src"}, {"~/", ""}, {"~/", "src"}, {"~/", "app"}, {"$lib/", "src/lib"}, {"@@/", ""}, {"~~/", ""}} {
		if rest, ok := strings.CutPrefix(spec, c[0]); ok {
			if f, ok := r.file(path.Join(root, c[1], rest)); ok {
				return f, true
			}
		}
	}
	return "", false
}

// file finds a path as it stands, with a suffix, as a folder, or under the
// suffix that TypeScript writes for another.
func (r *Resolver) file(p string) (string, bool) {
	if strings.HasPrefix(p, "../") {
		return "", false
	}
	if r.files[p] {
		return p, true
	}
	for _, s := range suffixes {
		if r.files[p+s] {
			return p + s, true
		}
	}
	for written, real := range map[string][]string{".js": {".ts", ".tsx"}, ".jsx": {".tsx"}, ".mjs": {".mts"}, ".cjs": {".cts"}} {
		if stem, ok := strings.CutSuffix(p, written); ok {
			for _, s := range real {
				if r.files[stem+s] {
					return stem + s, true
				}
			}
		}
	}
	if m := r.roots[p]; m != nil {
		if f, ok := r.entry(m); ok {
			return f, true
		}
	}
	for _, s := range suffixes {
		if f := path.Join(p, "index"+s); r.files[f] {
			return f, true
		}
	}
	return "", false
}

// manifestOf is the package.json that governs a folder.
func (r *Resolver) manifestOf(dir string) *manifest {
	if m, ok := r.nearest[dir]; ok {
		return m
	}
	m := r.roots[dir]
	if m == nil && dir != "." && dir != "/" {
		m = r.manifestOf(path.Dir(dir))
	}
	r.nearest[dir] = m
	return m
}

// workspace finds a package that the project itself holds.
func (r *Resolver) workspace(spec string) (string, bool) {
	name, rest, _ := strings.Cut(spec, "/")
	if strings.HasPrefix(spec, "@") {
		scope, after, _ := strings.Cut(rest, "/")
		name, rest = name+"/"+scope, after
	}
	m := r.packages[name]
	if m == nil {
		return "", false
	}
	exports := member(m.json, "exports")
	if !exports.IsZero() {
		key := "."
		if rest != "" {
			key = "./" + rest
		}
		if f, ok := r.mapped(m, exports, key); ok {
			return f, true
		}
	}
	if rest == "" {
		return r.entry(m)
	}
	if f, ok := r.file(path.Join(m.dir, rest)); ok {
		return f, true
	}
	return r.file(path.Join(m.dir, "src", rest))
}

// entry is the main module of a package. One that only a build would make
// stands for its source.
func (r *Resolver) entry(m *manifest) (string, bool) {
	for _, k := range []string{"source", "module", "main", "types"} {
		if t := member(m.json, k).Str(); t != "" {
			if f, ok := r.built(m, t); ok {
				return f, true
			}
		}
	}
	for _, p := range []string{"src/index", "index", "src/main"} {
		for _, s := range suffixes {
			if f := path.Join(m.dir, p+s); r.files[f] {
				return f, true
			}
		}
	}
	return "", false
}

func (r *Resolver) built(m *manifest, target string) (string, bool) {
	p := path.Join(m.dir, target)
	if f, ok := r.file(p); ok && !strings.HasSuffix(f, ".d.ts") {
		return f, true
	}
	for _, out := range []string{"dist", "build", "lib", "out"} {
		if rest, ok := strings.CutPrefix(strings.TrimPrefix(target, "./"), out+"/"); ok {
			stem := strings.TrimSuffix(strings.TrimSuffix(rest, path.Ext(rest)), ".d")
			if f, ok := r.file(path.Join(m.dir, "src", stem)); ok {
				return f, true
			}
		}
	}
	return "", false
}

// mapped follows exports or imports of a package.json.
func (r *Resolver) mapped(m *manifest, table jsonx.Value, key string) (string, bool) {
	if table.Kind() != jsonx.KindObject || !strings.HasPrefix(firstName(table), ".") && !strings.HasPrefix(firstName(table), "#") {
		if key != "." {
			return "", false
		}
		return r.condition(m, table, "")
	}
	if v, ok := table.Get(key); ok {
		return r.condition(m, v, "")
	}
	best, star := "", ""
	var target jsonx.Value
	for name, v := range table.Fields() {
		head, tail, ok := strings.Cut(name, "*")
		if ok && strings.HasPrefix(key, head) && strings.HasSuffix(key, tail) && len(key) >= len(head)+len(tail) && len(name) > len(best) {
			best, star, target = name, key[len(head):len(key)-len(tail)], v
		}
	}
	if best == "" {
		return "", false
	}
	return r.condition(m, target, star)
}

func firstName(v jsonx.Value) string {
	for name := range v.Fields() {
		return name
	}
	return ""
}

// condition chooses among the conditions of a target, in the order written.
func (r *Resolver) condition(m *manifest, v jsonx.Value, star string) (string, bool) {
	switch v.Kind() {
	case jsonx.KindString:
		return r.built(m, strings.ReplaceAll(v.Str(), "*", star))
	case jsonx.KindArray:
		for _, e := range v.Elems() {
			if f, ok := r.condition(m, e, star); ok {
				return f, true
			}
		}
	case jsonx.KindObject:
		for name, e := range v.Fields() {
			if name == "types" || strings.HasPrefix(name, "types@") {
				continue
			}
			if f, ok := r.condition(m, e, star); ok {
				return f, true
			}
		}
	default:
	}
	return "", false
}

// aliased follows paths and baseUrl of the nearest configuration that has some.
func (r *Resolver) aliased(dir, spec string) (string, bool) {
	for {
		a := r.config(dir)
		if a != nil {
			for _, p := range a.paths {
				star, ok := matchStar(p.pattern, spec)
				if !ok {
					continue
				}
				for _, t := range p.targets {
					if f, ok := r.file(path.Clean(strings.Replace(t, "*", star, 1))); ok {
						return f, true
					}
				}
			}
			if a.base != "-" {
				if f, ok := r.file(path.Join(a.base, spec)); ok {
					return f, true
				}
			}
		}
		if dir == "." || dir == "/" {
			return "", false
		}
		dir = path.Dir(dir)
	}
}

func matchStar(pattern, s string) (string, bool) {
	head, tail, ok := strings.Cut(pattern, "*")
	if !ok {
		return "", pattern == s
	}
	if len(s) < len(head)+len(tail) || !strings.HasPrefix(s, head) || !strings.HasSuffix(s, tail) {
		return "", false
	}
	return s[len(head) : len(s)-len(tail)], true
}

// config reads the configurations of a folder: tsconfig.json, jsconfig.json,
// tsconfig.app.json and the like.
func (r *Resolver) config(dir string) *aliases {
	if a, ok := r.configs[dir]; ok {
		return a
	}
	var all *aliases
	for _, name := range []string{"tsconfig.json", "jsconfig.json", "tsconfig.app.json", "tsconfig.base.json"} {
		f := path.Join(dir, name)
		if !r.files[f] {
			continue
		}
		a := r.readConfig(f, 0)
		if a == nil {
			continue
		}
		if all == nil {
			all = &aliases{base: "-"}
		}
		all.paths = append(all.paths, a.paths...)
		if all.base == "-" {
			all.base = a.base
		}
	}
	r.configs[dir] = all
	return all
}

func (r *Resolver) readConfig(file string, depth int) *aliases {
	text, err := r.read(file)
	if err != nil || depth > 8 {
		return nil
	}
	v, err := relaxed(text)
	if err != nil || v.Kind() != jsonx.KindObject {
		return nil
	}
	a := &aliases{base: "-"}
	for _, parent := range extended(v) {
		target := r.extendsTarget(file, parent)
		if target == "" {
			continue
		}
		if p := r.readConfig(target, depth+1); p != nil {
			if p.base != "-" {
				a.base = p.base
			}
			if p.paths != nil {
				a.paths = p.paths
			}
		}
	}
	options := member(v, "compilerOptions")
	dir := path.Dir(file)
	if b := member(options, "baseUrl"); b.Kind() == jsonx.KindString {
		a.base = path.Join(dir, b.Str())
	}
	if p := member(options, "paths"); p.Kind() == jsonx.KindObject {
		from := dir
		if a.base != "-" {
			from = a.base
		}
		a.paths = nil
		for name, targets := range p.Fields() {
			al := alias{pattern: name}
			for _, t := range targets.Elems() {
				al.targets = append(al.targets, path.Join(from, t.Str()))
			}
			a.paths = append(a.paths, al)
		}
		// The longest pattern before its star decides.
		sort.SliceStable(a.paths, func(i, j int) bool {
			hi, _, _ := strings.Cut(a.paths[i].pattern, "*")
			hj, _, _ := strings.Cut(a.paths[j].pattern, "*")
			return len(hi) > len(hj)
		})
	}
	return a
}

func extended(v jsonx.Value) []string {
	e := member(v, "extends")
	if e.Kind() == jsonx.KindString {
		return []string{e.Str()}
	}
	var all []string
	if e.Kind() == jsonx.KindArray {
		for _, s := range e.Elems() {
			all = append(all, s.Str())
		}
	}
	return all
}

func (r *Resolver) extendsTarget(file, spec string) string {
	base := path.Join(path.Dir(file), spec)
	if !strings.HasPrefix(spec, ".") {
		name, rest, _ := strings.Cut(spec, "/")
		if strings.HasPrefix(spec, "@") {
			scope, after, _ := strings.Cut(rest, "/")
			name, rest = name+"/"+scope, after
		}
		m := r.packages[name]
		if m == nil {
			return ""
		}
		base = path.Join(m.dir, rest)
		if rest == "" {
			base = path.Join(m.dir, "tsconfig.json")
		}
	}
	for _, f := range []string{base, base + ".json", path.Join(base, "tsconfig.json")} {
		if r.files[f] {
			return f
		}
	}
	return ""
}
