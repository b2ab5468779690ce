package githist

import (
	"bufio"
	"context"
	"errors"
	"io"
	"strconv"
	"strings"
	"time"

	"claviger.dev/claviger/internal/check/git"
)

// origin is where a blob came into the history.
type origin struct {
	commit, path string
	// paths are the other ones that it had.
	paths []string
}

// origins finds, for each of some blobs, the first commit that has it.
func origins(ctx context.Context, repo *git.Repo, wanted map[string]bool) (map[string]origin, error) {
	found := map[string]origin{}
	commits, err := repo.Feed(ctx, stashes(ctx, repo), "rev-list", "--all", "--reverse", "--topo-order", "--stdin")
	if err != nil {
		return found, err
	}
	err = repo.Stream(ctx, strings.NewReader(string(commits)), func(r io.Reader) error {
		return readRaw(bufio.NewReaderSize(r, 64<<10), func(commit, id, path string) {
			if !wanted[id] {
				return
			}
			o, known := found[id]
			switch {
			case !known:
				found[id] = origin{commit: commit, path: path}
			case o.path != path && len(o.paths) < 20:
				o.paths = append(o.paths, path)
				found[id] = o
			}
		})
	}, "diff-tree", "--stdin", "-r", "-m", "--root", "-z", "--raw", "--no-abbrev", "--no-renames", "--no-ext-diff", "--no-textconv")
	return found, err
}

// readRaw reads what `git diff-tree --stdin -z --raw` prints: the name of a commit,
// then for each change ":modes ids status" and a path, all ended by zero bytes.
func readRaw(r *bufio.Reader, change func(commit, id, path string)) error {
	commit := ""
	for {
		field, err := r.ReadString(0)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		field = strings.TrimSuffix(field, "\x00")
		if !strings.HasPrefix(field, ":") {
			// With -m the parent stands behind the commit.
			id, _, _ := strings.Cut(strings.TrimSpace(field), " ")
			if isID(id) {
				commit = id
			}
			continue
		}
		path, err := r.ReadString(0)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if f := strings.Fields(field); len(f) == 5 {
			change(commit, f[3], strings.TrimSuffix(path, "\x00"))
		}
	}
}

// dates are the days on which commits were written, in RFC 3339.
func dates(ctx context.Context, repo *git.Repo, commits []string) (map[string]string, error) {
	objects := make([]object, len(commits))
	for i, c := range commits {
		objects[i].id = c
	}
	out := map[string]string{}
	err := contents(ctx, repo, objects, func(i int, text []byte, _ int64) error {
		out[commits[i]] = authored(string(text))
		return nil
	})
	return out, err
}

// authored is the author's date in a commit object.
func authored(text string) string {
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" {
			break
		}
		if !strings.HasPrefix(line, "author ") {
			continue
		}
		f := strings.Fields(line)
		if len(f) < 3 {
			break
		}
		seconds, err := strconv.ParseInt(f[len(f)-2], 10, 64)
		if err != nil || seconds < 0 || seconds > 1<<40 {
			break
		}
		return time.Unix(seconds, 0).In(zone(f[len(f)-1])).Format(time.RFC3339)
	}
	return ""
}

func zone(s string) *time.Location {
	n, err := strconv.Atoi(s)
	if err != nil || n < -1400 || n > 1400 {
		return time.UTC
	}
	return time.FixedZone("", n/100*3600+n%100*60)
}

// inHead are the blobs of the commit that is checked out.
func inHead(ctx context.Context, repo *git.Repo) map[string]bool {
	out, err := repo.Output(ctx, "ls-tree", "-r", "-z", "--full-tree", "HEAD")
	if err != nil {
		return nil // nothing is checked out yet
	}
	ids := map[string]bool{}
	for entry := range strings.SplitSeq(string(out), "\x00") {
		head, _, _ := strings.Cut(entry, "\t")
		if f := strings.Fields(head); len(f) == 3 {
			ids[f[2]] = true
		}
	}
	return ids
}
