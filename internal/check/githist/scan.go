package githist

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"path"
	"slices"
	"strings"
	"sync"

	"claviger.dev/claviger/internal/check/canary"
	"claviger.dev/claviger/internal/check/files"
	"claviger.dev/claviger/internal/check/git"
	"claviger.dev/claviger/internal/check/keyscan"
	"claviger.dev/claviger/internal/check/report"
	"claviger.dev/claviger/internal/detect"
	"claviger.dev/claviger/internal/dotenv"
)

// Options are what Scan needs.
type Options struct {
	Repo   *git.Repo
	Values *canary.Set
	// Tracked are the paths that git tracks now; .env files among them are judged
	// elsewhere.
	Tracked map[string]bool
	// Report is told each finding, Problem what is missing, and Progress how many
	// bytes were read.
	Report   func(report.Finding)
	Problem  func(files.Problem)
	Progress func(bytes int64)
}

// Result is what was looked at.
type Result struct {
	Commits, Blobs int
	Bytes          int64
	// Complete says that nothing was missing.
	Complete bool
}

// sighting is a secret in one blob.
type sighting struct {
	object object
	hit    keyscan.Hit
	at     report.Position
	// env has the name of the first secret when the blob is a .env file.
	env string
}

// scanner reads blobs on one goroutine and looks at them on others.
type scanner struct {
	options Options
	list    *list
	mu      sync.Mutex
	result  Result
	seen    []sighting
	large   []string
	lost    int
}

// Scan looks through the history and reports what it holds.
func Scan(ctx context.Context, o Options) (*Result, error) {
	l, err := reachable(ctx, o.Repo)
	if err != nil {
		return nil, err
	}
	l.objects = slices.DeleteFunc(l.objects, func(b object) bool { return b.name != "" && skip(b.name) })
	s := &scanner{options: o, list: l, result: Result{Commits: l.commits, Complete: true}}
	if err := s.read(ctx); err != nil {
		return nil, err
	}
	s.problems()
	return &s.result, s.report(ctx)
}

// skip leaves out what cannot hold a secret of the project's own.
func skip(name string) bool {
	return files.IsBinary(name) || strings.HasPrefix(name, "node_modules/") || strings.Contains(name, "/node_modules/") || keyscan.IsLock(name)
}

type job struct {
	i    int
	text []byte
}

func (s *scanner) read(ctx context.Context) error {
	jobs := make(chan job, 8)
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			for j := range jobs {
				s.look(s.list.objects[j.i], j.text)
			}
		})
	}
	err := contents(ctx, s.options.Repo, s.list.objects, func(i int, text []byte, size int64) error {
		switch {
		case size < 0:
			s.lost++
		case size > maxBlob:
			s.large = append(s.large, s.list.objects[i].name)
		default:
			s.result.Blobs++
			s.result.Bytes += size
			s.options.Progress(size)
			jobs <- job{i, text}
		}
		return ctx.Err()
	})
	close(jobs)
	wg.Wait()
	return err
}

// look searches one blob.
func (s *scanner) look(o object, raw []byte) {
	if bytes.IndexByte(raw[:min(len(raw), 8000)], 0) >= 0 && !bytes.HasPrefix(raw, []byte{0xff, 0xfe}) && !bytes.HasPrefix(raw, []byte{0xfe, 0xff}) {
		return
	}
	text, err := files.Text(raw)
	if err != nil {
		return
	}
	var seen []sighting
	if o.name != "" && files.IsEnv(o.name) {
		seen = envSightings(o, text)
	}
	if len(seen) == 0 {
		for _, h := range keyscan.Find(text, s.options.Values, keyscan.Code(o.name) && len(text) < 1<<20) {
			// Keys of test servers are in many histories, and open nothing.
			if h.Value == nil && (h.Kind == detect.PrivateKey || files.IsTest(o.name) && !h.Kind.Provider()) {
				continue
			}
			seen = append(seen, sighting{object: o, hit: h, at: report.PositionAt(o.name, text, h.Start)})
		}
	}
	if len(seen) > 0 {
		s.mu.Lock()
		s.seen = append(s.seen, seen...)
		s.mu.Unlock()
	}
}

// envSightings are the secrets of a .env file, by value or by name.
func envSightings(o object, text string) []sighting {
	for _, e := range dotenv.Parse([]byte(text)) {
		if w, kind := detect.WeighValue(e.Name, e.Value); w == detect.WeightSecret {
			return []sighting{{
				object: o, env: e.Name, at: report.Position{File: o.name, Line: e.Line, Column: 1},
				hit: keyscan.Hit{Secret: report.SecretFingerprint(e.Value), Kind: kind, Confidence: report.ConfidenceCertain},
			}}
		}
	}
	return nil
}

func (s *scanner) problems() {
	incomplete := func(f string, a ...any) {
		s.result.Complete = false
		s.options.Problem(files.Problem{Path: ".git", Reason: fmt.Sprintf(f, a...)})
	}
	if s.list.shallow {
		incomplete("the clone is shallow, so that older commits are not here: git fetch --unshallow")
	}
	if n := s.list.missing + s.lost; n > 0 {
		incomplete("%d objects of the history are not here, as in a partial clone: git fetch --refetch --no-filter", n)
	}
	if n := len(s.large); n > 0 {
		incomplete("%d objects of the history are larger than 32 MiB, %q first", n, s.large[0])
	}
}

// report turns sightings into findings: one for each secret, and one for each
// .env file.
func (s *scanner) report(ctx context.Context) error {
	if len(s.seen) == 0 {
		return nil
	}
	wanted := map[string]bool{}
	for _, x := range s.seen {
		wanted[x.object.id] = true
	}
	from, err := origins(ctx, s.options.Repo, wanted)
	if err != nil {
		return err
	}
	var commits []string
	for id := range wanted {
		o, ok := from[id]
		if !ok {
			o.commit = id // a message is its own commit
		}
		commits = append(commits, o.commit)
	}
	slices.Sort(commits)
	commits = slices.Compact(commits)
	when, err := dates(ctx, s.options.Repo, commits)
	if err != nil {
		return err
	}
	head := inHead(ctx, s.options.Repo)
	for _, group := range s.groups(from, when) {
		s.options.Report(s.finding(group, from, when, head))
	}
	return nil
}

// groups puts the sightings of one secret together, oldest first; of a .env file,
// those of its path. Keys in .env files are that file's.
func (s *scanner) groups(from map[string]origin, when map[string]string) [][]sighting {
	byKey := map[string][]sighting{}
	for _, x := range s.seen {
		if o, ok := from[x.object.id]; ok {
			x.at.File = o.path
		} else if x.at.File == "" {
			x.at = report.Position{File: "(message)"}
		}
		key := x.hit.Secret
		if x.env != "" {
			if s.options.Tracked[x.at.File] {
				continue
			}
			key = "env:" + x.at.File
		}
		byKey[key] = append(byKey[key], x)
	}
	keys := make([]string, 0, len(byKey))
	for k, group := range byKey {
		slices.SortFunc(group, func(a, b sighting) int {
			return cmp.Or(strings.Compare(when[from[a.object.id].commit], when[from[b.object.id].commit]), strings.Compare(a.at.File, b.at.File), strings.Compare(a.object.id, b.object.id))
		})
		keys = append(keys, k)
	}
	slices.Sort(keys)
	out := make([][]sighting, 0, len(keys))
	for _, k := range keys {
		out = append(out, byKey[k])
	}
	return out
}

func (s *scanner) finding(group []sighting, from map[string]origin, when map[string]string, head map[string]bool) report.Finding {
	first := group[0]
	commit := first.object.id
	if o, ok := from[first.object.id]; ok {
		commit = o.commit
	}
	f := report.Finding{
		Rule: "key-in-git-history", Severity: report.SeverityCritical, Confidence: first.hit.Confidence, At: first.at, Secret: first.hit.Secret,
		Commit: commit, Date: when[commit],
	}
	present := slices.ContainsFunc(group, func(x sighting) bool { return head[x.object.id] })
	now := "It is gone from the current commit, and still in every clone."
	if present {
		now = "It is in the current commit as well."
	}
	told := map[string]bool{first.at.File: true}
	for _, x := range group {
		for _, p := range append([]string{x.at.File}, from[x.object.id].paths...) {
			if !told[p] && len(f.Path) < 10 {
				told[p] = true
				f.Path = append(f.Path, report.Position{File: p, Note: "holds it, too"})
			}
		}
	}
	if first.env != "" {
		f.Rule = "env-committed"
		f.Message = fmt.Sprintf("%s was committed with the secret %s in it. %s", first.at.File, first.env, now)
		f.Fix = "Rotate everything that was in it. Then, if the history may be rewritten: git filter-repo --invert-paths --path " + quoted(first.at.File)
		return f
	}
	f.Message = fmt.Sprintf("The history holds %s. %s", first.hit.What, now)
	f.Fix = "Rotate it. Then, if the history may be rewritten: put the key into a file outside of the repository and run git filter-repo --replace-text FILE"
	return f
}

func quoted(p string) string {
	if strings.Trim(path.Clean(p), "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._/-") == "" && !strings.HasPrefix(p, "-") {
		return p
	}
	return "'" + strings.ReplaceAll(p, "'", `'\''`) + "'"
}
