package check_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/rogpeppe/go-internal/txtar"

	"claviger.dev/claviger/check"
)

func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == check.WorkerArg {
		if check.ServeWorker(os.Stdin, os.Stdout) != nil {
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// expected is what the comments of an app ask for.
type expected struct {
	// groups are places of which one finding is wanted, by rule; may are places
	// about which one can think either way, and which count for nothing.
	groups []map[string]bool
	may    map[string]bool
}

var (
	wantMark = regexp.MustCompile(`\b(want|may)(?::([a-z]))?((?:\s+"[a-z-]+")+)`)
	wantRule = regexp.MustCompile(`"([a-z-]+)"`)
)

// expects reads the comments `// want "rule"`; `want:a` in several places, also
// of several files, asks for a finding at one of them.
func expects(a *txtar.Archive) expected {
	e := expected{may: map[string]bool{}}
	named := map[string]map[string]bool{}
	for _, f := range a.Files {
		for i, line := range strings.Split(string(f.Data), "\n") {
			_, comment, _ := strings.Cut(line, "// ")
			for _, m := range wantMark.FindAllStringSubmatch(comment, -1) {
				for _, r := range wantRule.FindAllStringSubmatch(m[3], -1) {
					at := fmt.Sprintf("%s:%d %s", f.Name, i+1, r[1])
					group := m[2] + r[1]
					switch {
					case m[1] == "may":
						e.may[at] = true
					case m[2] == "":
						e.groups = append(e.groups, map[string]bool{at: true})
					case named[group] == nil:
						named[group] = map[string]bool{at: true}
						e.groups = append(e.groups, named[group])
					default:
						named[group][at] = true
					}
				}
			}
		}
	}
	return e
}

// score is how findings compare with what was expected.
type score struct{ hit, missed, wrong int }

// judge compares, and says what is missed and what is wrong.
func (e expected) judge(found []check.Finding) (s score, differ []string) {
	met := make([]bool, len(e.groups))
	for _, f := range found {
		at := fmt.Sprintf("%s:%d %s", f.At.File, f.At.Line, f.Rule)
		i := slices.IndexFunc(e.groups, func(g map[string]bool) bool { return g[at] })
		switch {
		case i >= 0:
			met[i] = true
		case !e.may[at] && f.Severity > check.SeverityInfo:
			s.wrong++
			differ = append(differ, "wrong "+at)
		}
	}
	for i, g := range e.groups {
		if met[i] {
			s.hit++
			continue
		}
		s.missed++
		var places []string
		for at := range g {
			places = append(places, at)
		}
		slices.Sort(places)
		differ = append(differ, "missed "+places[0])
	}
	slices.Sort(differ)
	return s, differ
}

// TestAdversarial checks apps that were written to defeat the rules, after the
// rules. What is still missed or wrong stands in known.txt, and nowhere else.
func TestAdversarial(t *testing.T) {
	needGit(t)
	for name, dir := range map[string]string{"first": "../testdata/adversarial", "second": "../testdata/adversarial/second"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			scoreSet(t, dir)
		})
	}
}

// scoreSet compares what is found in the apps of one folder with its known.txt.
func scoreSet(t *testing.T, dir string) {
	t.Helper()
	archives, err := filepath.Glob(dir + "/*.txtar")
	if err != nil || len(archives) < 30 {
		t.Fatalf("%d archives: %v", len(archives), err)
	}
	var total score
	var differ []string
	flagged, clean := 0, 0
	for _, archive := range archives {
		name := strings.TrimSuffix(filepath.Base(archive), ".txtar")
		s, d := scoreApp(t, archive)
		total.hit, total.missed, total.wrong = total.hit+s.hit, total.missed+s.missed, total.wrong+s.wrong
		for _, line := range d {
			differ = append(differ, name+" "+line)
		}
		if strings.HasPrefix(name, "clean-") {
			clean++
			if s.wrong > 0 {
				flagged++
			}
		}
	}
	t.Logf("%d leaky apps, %d clean ones: recall %d/%d, precision %d/%d, clean apps flagged %d", len(archives)-clean, clean,
		total.hit, total.hit+total.missed, total.hit, total.hit+total.wrong, flagged)
	known, err := os.ReadFile(filepath.Join(dir, "known.txt"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(strings.TrimSpace(string(known)), "\n"), differ, cmpopts.EquateEmpty()); diff != "" && len(known)+len(differ) > 0 {
		t.Errorf("known (-) and seen (+):\n%s", diff)
	}
}

// scoreApp checks one app, and says what is missed and what is wrong in it.
func scoreApp(t *testing.T, archive string) (s score, differ []string) {
	t.Helper()
	a, err := txtar.ParseFile(archive)
	if err != nil {
		t.Fatal(err)
	}
	dir, k := t.TempDir(), keys{}
	k.unpack(t, dir, archive)
	h := scan(t, check.Options{Target: dir, Analyzers: check.Standard()})
	k.silent(t, fmt.Sprintf("%+v %+v", h.findings, h.summary))
	return expects(a).judge(h.findings)
}
