package files

import (
	"path"
	"regexp"
	"slices"
	"strings"

	"claviger.dev/claviger/internal/check/report"
)

// Build is a folder that a build made.
type Build struct {
	// Dir is relative to the checked folder, "." for that folder itself.
	Dir string
	// Next says that Next.js made it, which keeps what browsers get apart from
	// what stays on the server.
	Next bool
	// Client says that all of it is served: an export, a Vite build.
	Client bool
}

var (
	testPath = regexp.MustCompile(`(?i)(^|/)(__tests__|__mocks__|__fixtures__|__snapshots__|tests?|specs?|e2e|cypress|playwright|fixtures?|testdata|stories|\.storybook|evals?|mocks?)/|\.(test|tests|spec|stories|story|cy|e2e|bench|fixture|mock)s?\.[A-Za-z]+$|_test\.(go|py|rb)$|(^|/)(test_[^/]+\.py|conftest\.py)$`)
	envName  = regexp.MustCompile(`^\.env($|[.\-_])|^[^/]*\.env$|^\.(dev|flask)\.?vars$`)
	template = regexp.MustCompile(`(?i)example|sample|template|dist$|defaults?$|schema`)
)

// IsEnv reports whether a file of that name holds variables as .env does.
func IsEnv(name string) bool {
	name = path.Base(name)
	return envName.MatchString(name) && !strings.HasSuffix(name, ".d.ts") && !strings.HasSuffix(name, ".ts") && !strings.HasSuffix(name, ".js") && !strings.HasSuffix(name, ".mjs")
}

// IsTemplate reports whether a .env file is one to copy, as .env.example.
func IsTemplate(name string) bool { return IsEnv(name) && template.MatchString(path.Base(name)) }

// IsTest reports whether a path is that of a test, a story, a fixture or an
// evaluation.
func IsTest(p string) bool { return testPath.MatchString(p) }

// ownBuilds are names that only builds have; sharedBuilds may be anything.
var (
	ownBuilds    = []string{".next", ".output", ".nuxt", ".svelte-kit", ".vercel", ".open-next", ".expo", "storybook-static", ".docusaurus"}
	sharedBuilds = []string{"out", "dist", "build"}
	served       = []string{"public", "static"}
)

// classify says of each file what it is.
func (t *Tree) classify() {
	t.findBuilds()
	packages := t.packages()
	for i := range t.Files {
		f := &t.Files[i]
		switch _, built := t.BuildOf(f.Path); {
		case IsEnv(f.Path) && !built:
			f.Kind = report.FileEnv
		case built:
			f.Kind = report.FileBuild
		case isServed(f.Path, packages):
			f.Kind = report.FilePublic
		}
		if IsBinary(f.Path) {
			f.Kind = report.FileBinary
		}
	}
}

// packages are the folders that have a package.json, and the top.
func (t *Tree) packages() map[string]bool {
	out := map[string]bool{".": true}
	for _, f := range t.Files {
		if path.Base(f.Path) == "package.json" {
			out[path.Dir(f.Path)] = true
		}
	}
	return out
}

func isServed(p string, packages map[string]bool) bool {
	for dir := path.Dir(p); dir != "." && dir != "/"; dir = path.Dir(dir) {
		if slices.Contains(served, path.Base(dir)) && packages[path.Dir(dir)] {
			return true
		}
	}
	return false
}

// BuildOf is the build whose output a file is.
func (t *Tree) BuildOf(p string) (Build, bool) {
	for _, b := range t.Builds {
		if b.Dir == "." || strings.HasPrefix(p, b.Dir+"/") {
			return b, true
		}
	}
	return Build{}, false
}

// findBuilds knows the output of a build by its own name, or by a name that
// such folders share and what lies in it.
func (t *Tree) findBuilds() {
	packages := t.packages()
	seen := map[string]bool{}
	for _, f := range t.Files {
		for dir := path.Dir(f.Path); ; dir = path.Dir(dir) {
			if !seen[dir] {
				seen[dir] = true
				if b, ok := t.buildAt(dir, packages); ok {
					t.Builds = append(t.Builds, b)
				}
			}
			if dir == "." || dir == "/" {
				break
			}
		}
	}
	// The outermost decides, but for an output within an output.
	slices.SortFunc(t.Builds, func(a, b Build) int { return len(b.Dir) - len(a.Dir) })
}

func (t *Tree) buildAt(dir string, packages map[string]bool) (Build, bool) {
	name := path.Base(dir)
	has := func(p string) bool { return t.Has(path.Join(dir, p)) }
	next := has("BUILD_ID") || has("build-manifest.json") || name == ".next"
	page := has("index.html") || has("404.html")
	switch {
	case next && name != "static":
		return Build{Dir: dir, Next: true}, true
	case dir == "." && page && !has("package.json") && !has("src/main.ts"):
		return Build{Dir: dir, Client: true}, true
	case slices.Contains(ownBuilds, name):
		return Build{Dir: dir, Client: name == "storybook-static"}, true
	case slices.Contains(sharedBuilds, name) && packages[path.Dir(dir)]:
		client := page || has("client/index.html") || has("_next") || has("asset-manifest.json") || has("manifest.webmanifest") || has("browser/index.html") || t.hasBelow(path.Join(dir, "assets")) || t.hasBelow(path.Join(dir, "_next"))
		return Build{Dir: dir, Client: client}, client || !has("package.json")
	}
	return Build{}, false
}

// hasBelow reports whether there are files in a folder.
func (t *Tree) hasBelow(dir string) bool {
	i, _ := slices.BinarySearchFunc(t.Files, dir+"/", func(f report.File, p string) int { return strings.Compare(f.Path, p) })
	return i < len(t.Files) && strings.HasPrefix(t.Files[i].Path, dir+"/")
}

// Delivered reports whether browsers get a file of a build as it stands.
func (t *Tree) Delivered(p string) bool {
	b, ok := t.BuildOf(p)
	if !ok {
		return false
	}
	rel := strings.TrimPrefix(strings.TrimPrefix(p, b.Dir), "/")
	if b.Dir == "." {
		rel = p
	}
	switch {
	case b.Client:
		return !strings.HasPrefix(rel, "server/")
	case b.Next:
		return nextDelivers(rel)
	}
	for _, dir := range []string{"public/", "static/", "client/", "output/client/", "assets/"} {
		if strings.HasPrefix(rel, dir) {
			return true
		}
	}
	return false
}

// nextDelivers follows Next.js: static/ and what it rendered ahead of time go
// out, the code beside it does not.
func nextDelivers(rel string) bool {
	if strings.HasPrefix(rel, "static/") {
		return true
	}
	if !strings.HasPrefix(rel, "server/app/") && !strings.HasPrefix(rel, "server/pages/") {
		return false
	}
	switch path.Ext(rel) {
	case ".html", ".rsc", ".body", ".txt", ".xml":
		return true
	case ".json":
		// Data of pages; the manifests beside them end otherwise.
		return !strings.HasSuffix(rel, "manifest.json") && !strings.HasSuffix(rel, ".nft.json")
	}
	return false
}

var binaries = []string{
	".png", ".jpg", ".jpeg", ".gif", ".webp", ".avif", ".ico", ".bmp", ".tiff", ".heic", ".woff", ".woff2", ".ttf", ".otf", ".eot", ".mp3", ".mp4", ".webm", ".mov",
	".ogg", ".wav", ".flac", ".pdf", ".zip", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar", ".br", ".zst", ".exe", ".dll", ".so", ".dylib", ".a", ".o", ".class", ".jar",
	".pyc", ".node", ".pack", ".idx", ".parquet", ".onnx", ".psd", ".sketch", ".lockb",
}

// IsBinary reports whether a path ends as those of files without text do.
func IsBinary(p string) bool { return slices.Contains(binaries, strings.ToLower(path.Ext(p))) }
