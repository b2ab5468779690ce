package claviger_test

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "claviger.dev/claviger"

// arrows says which packages of the module a package may import. The first
// prefix that fits decides; a package that none fits fails the test, so that a
// new one has to find its place first.
var arrows = []struct {
	pkg    string
	allow  []string
	reason string
}{
	{"internal/seal", nil, "the two permissions depend on nothing"},
	{"internal/tick", nil, "clocks depend on nothing"},
	{"internal/jsonx", nil, "strict JSON knows no product"},
	{"internal/detect", nil, "detectors are pure"},
	{"internal/typescript", []string{"internal/jsonx"}, "types follow from schemas alone"},
	{"internal/scaffold", []string{"internal/jsonx", "internal/dotenv", "internal/detect"}, "what is written into apps knows no gateway"},
	{"internal/dotenv", nil, "a parser of files knows no product"},
	{"internal/netx", nil, "the network's rules know no product"},
	{"internal/testnet", nil, "test servers know no product"},
	{"openaitest", nil, "users import the simulator by itself"},
	{"openai", []string{"", "internal/jsonx", "internal/detect", "internal/tick"}, "inner packages see the vocabulary alone"},
	{"action", []string{"", "internal/jsonx", "internal/detect", "internal/tick"}, "inner packages see the vocabulary alone"},
	{"content", []string{"", "internal/jsonx", "internal/detect", "internal/tick"}, "inner packages see the vocabulary alone"},
	{"admit", []string{"", "internal/jsonx", "internal/detect", "internal/tick"}, "inner packages see the vocabulary alone"},
	{"redact", []string{"", "internal/jsonx", "internal/detect", "internal/tick", "internal/seal"}, "redaction reads secrets to find them"},
	{"authn", append(slices.Clone(outer), "authn/internal"), "outer packages do not know one another, and share the rules of tokens"},
	{"authz", outer, "outer packages do not know one another"},
	{"keys", outer, "outer packages do not know one another"},
	{"upstream", outer, "outer packages do not know one another"},
	{"owner", outer, "outer packages do not know one another"},
	{"record", outer, "outer packages do not know one another"},
	{"block", outer, "outer packages do not know one another"},
	{"store", append(slices.Clone(outer), "store/internal"), "engines know the seams alone, and share their schema"},
	{"internal/check", []string{"internal/check", "internal/detect", "internal/dotenv", "internal/jsonx", "internal/netx"}, "whoever runs the check links no gateway"},
	{"check", []string{"internal/check", "internal/detect", "internal/dotenv", "internal/jsonx"}, "whoever runs the check links no gateway"},
	{"gateway", []string{"", "openai", "action", "admit", "content", "redact", "internal/seal", "internal/netx", "internal/jsonx", "internal/tick"}, "the pipeline knows seams and no engine"},
	{"config", []string{"", "openai", "action", "admit", "content", "redact", "internal/jsonx", "internal/detect"}, "what only an engine can check, app passes in"},
	{"demo", []string{"", "internal/jsonx"}, "pages see small interfaces that they declare"},
	{"gatetest", []string{"", "internal/seal", "internal/jsonx"}, "suites know the seams alone"},
	{"bench", []string{"bench", "openaitest", ""}, "the harness measures from outside"},
	{"examples/function", []string{"", "action", "admit", "authn", "authz", "gateway", "keys", "redact", "store/redis", "upstream"}, "an example has what any embedder has"},
	{"e2e", []string{"openaitest", "app", "internal/testnet", ""}, "tests from outside"},
	{"app", []string{"*"}, "the only wiring"},
	{"cmd/claviger", []string{"app"}, "main is a call of app"},
}

var outer = []string{
	"", "openai", "action", "admit", "redact",
	"internal/netx", "internal/jsonx", "internal/seal", "internal/dotenv", "internal/detect",
}

func TestArrows(t *testing.T) {
	for pkg, imports := range packageImports(t) {
		rel := strings.TrimPrefix(strings.TrimPrefix(pkg, module), "/")
		if rel == "" {
			checkArrow(t, rel, imports, []string{"internal/seal"}, "the vocabulary is the standard library and the seal")
			for _, imp := range imports {
				if first, _, _ := strings.Cut(imp, "/"); strings.Contains(first, ".") && !strings.HasPrefix(imp, module) {
					t.Errorf("the vocabulary must not import %s: it is the standard library and the seal", imp)
				}
			}
			continue
		}
		i := slices.IndexFunc(arrows, func(a struct {
			pkg    string
			allow  []string
			reason string
		},
		) bool {
			return rel == a.pkg || strings.HasPrefix(rel, a.pkg+"/")
		})
		if i < 0 {
			t.Errorf("%s has no place in the house: add it to arrows with its reason", rel)
			continue
		}
		checkArrow(t, rel, imports, arrows[i].allow, arrows[i].reason)
	}
}

func checkArrow(t *testing.T, rel string, imports, allow []string, reason string) {
	t.Helper()
	if slices.Contains(allow, "*") {
		return
	}
	for _, imp := range imports {
		target, ours := strings.CutPrefix(imp, module)
		if !ours {
			continue
		}
		target = strings.TrimPrefix(target, "/")
		ok := slices.ContainsFunc(allow, func(a string) bool {
			return target == a || a != "" && strings.HasPrefix(target, a+"/")
		})
		if !ok {
			t.Errorf("%s must not import %s: %s", rel, target, reason)
		}
	}
}

func packageImports(t *testing.T) map[string][]string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-f", `{{.ImportPath}}{{range .Imports}} {{.}}{{end}}`, "./...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	pkgs := map[string][]string{}
	for line := range strings.Lines(string(out)) {
		f := strings.Fields(line)
		pkgs[f[0]] = f[1:]
	}
	if len(pkgs) < 5 {
		t.Fatalf("go list named %d packages only: the test would prove nothing", len(pkgs))
	}
	return pkgs
}

// linked says what a package must not link, however far down.
var linked = []struct {
	pkg, not, reason string
}{
	{"", "net/http/httptest", "test servers stay in tests"},
	{"gateway", "cel.dev/", "whoever embeds the pipeline brings the policy"},
	{"gateway", "github.com/google/cel-go", "whoever embeds the pipeline brings the policy"},
	{"gateway", "database/sql", "whoever embeds the pipeline brings the stores"},
	{"gateway", "github.com/prometheus", "metrics are wired in app"},
	{"gateway", "github.com/go-jose", "credentials are read behind a seam"},
	{"gateway", "testing", "test code stays in tests"},
	{"app", "net/http/pprof", "no debug surface"},
	{"app", module + "/gatetest", "suites stay in tests"},
}

func TestLinked(t *testing.T) {
	for _, l := range linked {
		out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", "./"+l.pkg).Output()
		if err != nil {
			t.Fatalf("go list -deps %s: %v", l.pkg, err)
		}
		for line := range strings.Lines(string(out)) {
			if dep := strings.TrimSpace(line); dep == l.not || strings.HasSuffix(l.not, "/") && strings.HasPrefix(dep, l.not) || strings.HasPrefix(dep, l.not+"/") {
				t.Errorf("%s links %s: %s", l.pkg, dep, l.reason)
			}
		}
	}
}
