// Package githist looks through everything that a git repository remembers: the
// blobs of every ref and stash, and the messages of commits. Nothing is checked
// out, and nothing of the repository's configuration is obeyed that could run.
package githist

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"claviger.dev/claviger/internal/check/git"
)

// maxBlob is the largest blob that is looked at, in bytes.
const maxBlob = 32 << 20

// object is a blob and one path that it had, or a commit or tag without one.
type object struct{ id, name string }

// list are all objects that hold text, and what is missing.
type list struct {
	objects []object
	commits int
	missing int
	shallow bool
}

// reachable lists the blobs that any ref or stash leads to, each once, and the
// commits and annotated tags themselves.
func reachable(ctx context.Context, repo *git.Repo) (*list, error) {
	l := &list{}
	if out, err := repo.Output(ctx, "rev-parse", "--is-shallow-repository"); err == nil {
		l.shallow = strings.TrimSpace(string(out)) == "true"
	}
	stashes := stashes(ctx, repo)
	err := repo.Stream(ctx, bytes.NewReader(stashes), func(r io.Reader) error {
		return eachLine(r, func(line string) error {
			id, name, _ := strings.Cut(line, " ")
			if missing, ok := strings.CutPrefix(id, "?"); ok && missing != "" {
				l.missing++
				return nil
			}
			if isID(id) {
				l.objects = append(l.objects, object{id, name})
			}
			return nil
		})
	}, "rev-list", "--objects", "--all", "--missing=print", "--filter=object:type=blob", "--filter-provided-objects", "--stdin")
	if err != nil {
		return nil, err
	}
	err = repo.Stream(ctx, bytes.NewReader(stashes), func(r io.Reader) error {
		return eachLine(r, func(line string) error {
			if isID(line) {
				l.commits++
				l.objects = append(l.objects, object{id: line})
			}
			return nil
		})
	}, "rev-list", "--all", "--stdin")
	if err != nil {
		return nil, err
	}
	tags, err := repo.Output(ctx, "for-each-ref", "--format=%(objecttype) %(objectname)", "refs/tags")
	for line := range strings.Lines(string(tags)) {
		if id, ok := strings.CutPrefix(strings.TrimSpace(line), "tag "); ok && isID(id) {
			l.objects = append(l.objects, object{id: id})
		}
	}
	return l, err
}

// stashes are the commits of all stashes but the newest, which is a ref. Only the
// log of that ref knows them.
func stashes(ctx context.Context, repo *git.Repo) []byte {
	out, err := repo.Output(ctx, "rev-list", "--walk-reflogs", "--max-count=500", "refs/stash")
	if err != nil {
		return nil // there is no stash
	}
	return out
}

// contents reads objects in their order, and hands each to visit, whose bytes are
// its own. Objects that are too large are handed over without a content.
func contents(ctx context.Context, repo *git.Repo, objects []object, visit func(i int, text []byte, size int64) error) error {
	in, feed := io.Pipe()
	go func() {
		w := bufio.NewWriterSize(feed, 64<<10)
		for _, o := range objects {
			if _, err := w.WriteString(o.id + "\n"); err != nil {
				break
			}
		}
		_ = feed.CloseWithError(w.Flush()) // nil is the end
	}()
	defer func() { _ = in.Close() }()
	return repo.Stream(ctx, in, func(r io.Reader) error {
		return readBatch(bufio.NewReaderSize(r, 256<<10), len(objects), visit)
	}, "cat-file", "--batch", "--buffer")
}

// readBatch reads what `git cat-file --batch` prints about n objects.
func readBatch(r *bufio.Reader, n int, visit func(i int, text []byte, size int64) error) error {
	for i := range n {
		header, err := r.ReadString('\n')
		if err != nil {
			return fmt.Errorf("git cat-file ended early: %w", noEOF(err))
		}
		fields := strings.Fields(header)
		if len(fields) == 2 && fields[1] == "missing" {
			if err := visit(i, nil, -1); err != nil {
				return err
			}
			continue
		}
		if len(fields) != 3 {
			return errors.New("git cat-file printed something unknown")
		}
		size, err := strconv.ParseInt(fields[2], 10, 64)
		if err != nil || size < 0 {
			return errors.New("git cat-file printed something unknown")
		}
		var text []byte
		if size <= maxBlob {
			// Grown as it comes: the number is not trusted with memory.
			var b bytes.Buffer
			if _, err := io.CopyN(&b, r, size); err != nil {
				return fmt.Errorf("git cat-file ended early: %w", noEOF(err))
			}
			text = b.Bytes()
		} else if _, err := io.CopyN(io.Discard, r, size); err != nil {
			return fmt.Errorf("git cat-file ended early: %w", noEOF(err))
		}
		if end, err := r.ReadByte(); err != nil || end != '\n' {
			return errors.New("git cat-file printed something unknown")
		}
		if err := visit(i, text, size); err != nil {
			return err
		}
	}
	return nil
}

func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// eachLine calls visit with each line. A line that is longer than 64 KiB is cut.
func eachLine(r io.Reader, visit func(string) error) error {
	b := bufio.NewReaderSize(r, 64<<10)
	for {
		line, err := b.ReadSlice('\n')
		text := strings.TrimSuffix(string(line), "\n")
		for errors.Is(err, bufio.ErrBufferFull) {
			_, err = b.ReadSlice('\n')
		}
		if text != "" {
			if err := visit(text); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// isID reports whether s is the name of an object, SHA-1 or SHA-256.
func isID(s string) bool {
	if len(s) != 40 && len(s) != 64 {
		return false
	}
	return strings.Trim(s, "0123456789abcdef") == ""
}
